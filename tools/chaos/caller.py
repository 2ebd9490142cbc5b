"""A client that does what a good client does: the same key again until there is an answer."""

import asyncio
import random
import time
from typing import Any
from uuid import UUID

import httpx

from tools.chaos.histories import Histories

GIVES_UP_SECONDS = 90


class GaveUp(Exception):
    """No answer, however often it was asked for."""


class Caller:
    def __init__(
        self, base: str, token: str, name: str, histories: Histories, chance: random.Random
    ) -> None:
        self.name, self.histories, self.chance = name, histories, chance
        self.client = httpx.AsyncClient(
            base_url=f"{base}/api/v1/",
            headers={"Authorization": f"Token {token}"},
            timeout=30,
            limits=httpx.Limits(max_connections=20, keepalive_expiry=5),
        )

    async def get(self, path: str) -> dict[str, Any]:
        return (await self._ask("GET", path, None, "read")).json()

    async def post(
        self, path: str, body: dict[str, Any], what: str, **known: Any
    ) -> httpx.Response:
        """The answer is written down as soon as it is here."""
        return await self._ask("POST", path, body, what, **known)

    async def _ask(self, method: str, path: str, body: Any, what: str, **known: Any):
        key, limit = (
            str(UUID(int=self.chance.getrandbits(128))),
            time.monotonic() + GIVES_UP_SECONDS,
        )
        while True:
            answer = await self._once(method, path, body, what, key, known)
            if answer is not None and answer.status_code < 500:
                return answer
            if time.monotonic() > limit:
                raise GaveUp(f"{method} {path}: {answer}")
            await asyncio.sleep(self.chance.uniform(0.05, 0.5))

    async def _once(self, method, path, body, what, key, known) -> httpx.Response | None:
        sent = time.time()
        headers = {"Idempotency-Key": key} if method == "POST" else {}
        try:
            answer = await self.client.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            self._note(what, path, sent, 0, {"error": type(error).__name__} | known)
            return None
        self._note(what, path, sent, answer.status_code, _told(answer) | known)
        return answer

    def _note(self, what: str, path: str, sent: float, status: int, fields: dict[str, Any]) -> None:
        self.histories.note(
            "answers",
            **{"who": self.name, "what": what, "path": path, "status": status, "sent": sent},
            **{"ms": round((time.time() - sent) * 1000, 1)},
            **fields,
        )


def _told(answer: httpx.Response) -> dict[str, Any]:
    if answer.request.method == "GET" or "json" not in answer.headers.get("content-type", ""):
        return {}
    body = answer.json()
    told = {"code": body.get("code")} if answer.status_code >= 400 else {}
    if answer.status_code == 201 and "decision" in body:
        told["decision"] = body["decision"]["id"]
    elif answer.status_code == 201 and "brief" in body:
        told["project"] = body["id"]
    return told
