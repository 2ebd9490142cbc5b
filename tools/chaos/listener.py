"""A WebSocket client that writes down every event, and comes back where it was."""

import asyncio
import json
import random

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

from tools.chaos.histories import Histories


class Listener:
    def __init__(
        self,
        base: str,
        token: str,
        name: str,
        project: str,
        histories: Histories,
        chance: random.Random,
        *,
        pause: float = 0.0,
    ) -> None:
        self.url = f"{base.replace('http', 'ws', 1)}/ws/projects/{project}/"
        self.token, self.name, self.project = token, name, project
        self.histories, self.chance, self.pause = histories, chance, pause
        self.last, self.epoch, self.connections = 0, "", 0
        self.note("began", after=0)

    def note(self, kind: str, **fields) -> None:
        fields |= {"client": self.name, "project": self.project, "type": kind}
        self.histories.note("frames", **fields)

    async def listen(self) -> None:
        while True:
            try:
                await self._one_connection()
            except (OSError, ConnectionClosed, InvalidHandshake, InvalidMessage, TimeoutError):
                pass
            await asyncio.sleep(self.chance.uniform(0, 0.5))

    async def _one_connection(self) -> None:
        position = f"?after={self.last}" + (f"&epoch={self.epoch}" if self.epoch else "")
        headers = {"Authorization": f"Token {self.token}"}
        async with connect(
            self.url + position,
            additional_headers=headers,
            max_size=None,
            max_queue=4,
            open_timeout=10,
            close_timeout=1,
            proxy=None,
        ) as socket:
            self.connections += 1
            async for text in socket:
                self._take(json.loads(text))
                if self.pause:
                    await asyncio.sleep(self.pause)

    def _take(self, frame: dict) -> None:
        match frame["type"]:
            case "subscribed":
                self.epoch = frame["epoch"]
            case "reset":
                self.last = 0
                self.note("reset", reason=frame["reason"])
            case "event":
                self.note("event", sequence=frame["sequence"], hash=frame["event"]["hash"])
                self.last = frame["sequence"]
