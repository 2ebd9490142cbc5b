"""Calls that people approve first: asked, claimed, sent exactly as approved, and reported."""

import asyncio
import contextlib
import fnmatch
import hashlib
import json
import logging
import os
import secrets
import unicodedata
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paraph.actions import NEVER
from paraph.adapters.calls import Call, Desk
from paraph.canonical import call_digest, canonical
from paraph.client import AsyncAction, AsyncClaim, AsyncClient
from paraph.errors import ApiError, EffectExists, NotExecuted, ParaphError, StillPending
from paraph.mcp.messages import (
    CALL,
    INVALID_PARAMS,
    Message,
    Unclear,
    error_for,
    id_of,
    meta_of,
    result_for,
)
from paraph.mcp.outcomes import (
    BEGUN,
    DENIED,
    EXECUTED,
    FAILED,
    NOT_APPROVED,
    PENDING,
    UNKNOWN,
    Refused,
    told,
    with_outcome,
)
from paraph.mcp.upstream import Lost, Upstream

logger = logging.getLogger("paraph")
#: A `task` of the protocol's would answer before the call has run.
PARAMETERS = {"name", "arguments", "_meta", "inputResponses", "requestState"}
PASSED_META = ("progressToken", "io.modelcontextprotocol/")
CAPABILITIES, TASKS = "io.modelcontextprotocol/clientCapabilities", "io.modelcontextprotocol/tasks"
#: How long a client may take to answer what the server asks it in the middle of a call.
ROUND_SECONDS = 600.0


@dataclass
class Options:
    command: Sequence[str]
    #: Patterns of the names of tools that ask first.
    tools: Sequence[str] = ("*",)
    #: What the server is called on the card.
    server: str = ""
    #: By the name of a tool, what must happen once: `{"refund": "refund:{order}"}`.
    effects: Mapping[str, str] = field(default_factory=dict)
    #: How long a call waits for people before it answers that it is pending, in seconds.
    hold: float = 50.0

    @property
    def server_name(self) -> str:
        return self.server or Path(self.command[0]).name

    def asks(self, name: str) -> bool:
        """Whatever way of writing the server may take for the same name."""
        plain = unicodedata.normalize("NFKC", name).strip().casefold()
        return any(
            fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(plain, pattern.casefold())
            for pattern in self.tools
        )


@dataclass
class Running:
    """A call that was approved and claimed, until the server has said how it ended."""

    claim: AsyncClaim
    action: str
    name: str
    #: Of the call as the client made it.
    digest: str
    is_changed: bool
    #: What the server wants back in the next round.
    state: Any = None
    #: Under which the server knows it.
    own_id: str = ""

    @property
    def meta(self) -> dict[str, Any]:
        return {"paraph/action": self.action, "paraph/arguments_changed": self.is_changed}


class GatedCalls:
    def __init__(self, options: Options, client: AsyncClient, upstream: Upstream) -> None:
        self.options, self.client, self.upstream = options, client, upstream
        self.open = OpenQuestions(client.connection.project, options.server_name)
        #: By the name of a tool, what the server says of it.
        self.hints: dict[str, dict[str, bool]] = {}
        self._run_name = secrets.token_hex(8)
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        #: Calls in whose middle the server has asked the client something, by what it brings back.
        self._rounds: dict[str, Running] = {}
        #: What is with the server now, by the client's id.
        self._running: dict[Any, Running] = {}

    async def answer(self, message: Message) -> Message:
        """Ask, wait, claim, run once, report; and say in the result which of it happened."""
        try:
            return await self._answer(message)
        except Refused as refusal:
            return result_for(message, refusal.result)
        except Unclear as error:
            return error_for(id_of(message), error.code, str(error))
        except ParaphError as error:
            text = f"NOT EXECUTED: people could not be asked. {error}"
            return result_for(message, told(DENIED, text))
        except Exception as error:
            logger.exception("A call has failed")
            text = f"UNKNOWN: {type(error).__name__}. Do not assume that it did not happen."
            return result_for(message, told(UNKNOWN, text))

    async def cancel(self, message_id: Any, reason: str) -> bool:
        """Whether the server has it and was told. A question that is open stays so."""
        running = self._running.get(message_id)
        if running is not None:
            await self.upstream.cancel(running.own_id, reason)
        return running is not None

    async def close(self) -> None:
        for running in list(self._rounds.values()):
            await self._report(running, "unknown", None, "the client has gone")
        self._rounds.clear()

    async def _answer(self, message: Message) -> Message:
        params = message["params"]
        if unknown := set(params) - PARAMETERS:
            detail = f"A tool that asks people takes no {', '.join(sorted(unknown))[:200]}."
            raise Unclear(INVALID_PARAMS, detail)
        name, arguments = params["name"], params.get("arguments", {})
        if not isinstance(arguments, dict):
            raise Unclear(INVALID_PARAMS, "Send the arguments as an object.")
        try:
            digest = call_digest(self._tool(name), arguments)
            canonical(params)
        except (TypeError, ValueError) as error:
            raise Unclear(INVALID_PARAMS, f"This has no exact form: {error}.") from error
        if (handle := params.get("requestState")) is not None:
            # A number of ours, which is good once, and for the same call.
            running = self._rounds.get(handle) if isinstance(handle, str) else None
            if running is None or running.digest != digest:
                raise Unclear(INVALID_PARAMS, "Invalid or expired requestState.")
            del self._rounds[handle]
            return await self._run(message, running)
        # Identical calls one after another: of many at once, each has an approval of its own.
        async with self._locks.setdefault(digest, asyncio.Lock()):
            action = await self._asked(name, arguments, digest)
            return await self._run(message, await self._claimed(action, name, digest))

    def _tool(self, name: str) -> dict[str, str]:
        return {"name": name, "server": self.options.server_name}

    async def _asked(self, name: str, arguments: dict[str, Any], digest: str) -> AsyncAction[Any]:
        """The question that is open about this call, also from before a restart; else a new one."""
        if known := self.open.get(digest):
            with contextlib.suppress(ApiError):
                action = await self.client.action(known)
                if action.data["tool"] == self._tool(name):
                    return action
        desk = Desk(
            run=self._run_name,
            framework="mcp-proxy",
            server=self.options.server_name,
            effects=self.options.effects,
            hints=self.hints,
        )
        try:
            options: Any = desk.options(Call(name, arguments, secrets.token_hex(8)))
        except (LookupError, ValueError, AttributeError) as error:
            raise Refused(DENIED, f"NOT EXECUTED: the effect needs {error}.") from error
        agent = self.client.connection.agent or self.options.server_name
        try:
            action = await self.client.ask(name, arguments, agent=agent, **options)
        except EffectExists as error:
            meta = {"paraph/action": error.action}
            raise Refused(DENIED, f"NOT EXECUTED: {error}", **meta) from error
        self.open.put(digest, action.id)
        return action

    async def _claimed(self, action: AsyncAction[Any], name: str, digest: str) -> Running:
        meta = {"paraph/action": action.id, "paraph/review": action.review_url}
        try:
            await action.wait(self.options.hold)
        except StillPending as error:
            text = (
                "PENDING: not executed. Nobody has decided yet. Make the same call again, with the "
                f"same arguments, to go on waiting. People decide at {action.review_url}"
            )
            raise Refused(PENDING, text, **meta) from error
        if action.status in NEVER:
            self.open.forget(digest)
            raise Refused(DENIED, f"NOT EXECUTED. {action.refusal}", **meta)
        if not action.is_approved:
            self.open.forget(digest)
            raise Refused(*BEGUN.get(action.status, NOT_APPROVED), **meta)
        if self.upstream.has_gone:
            raise Refused(DENIED, "NOT EXECUTED: the server has gone.", **meta)
        try:
            claim = await action.claim()
        except (ApiError, NotExecuted) as error:
            if getattr(error, "next_action", "") != "retry":
                self.open.forget(digest)
            raise Refused(DENIED, f"NOT EXECUTED, though approved: {error}", **meta) from error
        is_changed = call_digest(self._tool(name), claim.arguments) != digest
        return Running(claim, action.id, name, digest, is_changed)

    async def _run(self, message: Message, running: Running) -> Message:
        running.own_id = self.upstream.begin()
        self._running[id_of(message)] = running
        keeping = asyncio.create_task(self._keep(running))
        try:
            params = self._approved(message, running)
            answer = await self.upstream.request(running.own_id, CALL, params)
        except (Lost, OSError) as error:
            reason = str(error) or type(error).__name__
            await self._report(running, "unknown", None, reason)
            text = (
                f"UNKNOWN: the call was made, and then {reason}. Nobody knows whether it has "
                "happened; people are asked. Do not make it again."
            )
            return result_for(message, told(UNKNOWN, text, **running.meta))
        except asyncio.CancelledError:
            await asyncio.shield(self._report(running, "unknown", None, "the client has gone"))
            raise
        finally:
            keeping.cancel()
            self._running.pop(id_of(message), None)
        result = answer.get("result")
        kind = result.get("resultType") if isinstance(result, dict) else None
        if isinstance(result, dict) and kind == "input_required":
            result = self._next_round(running, result)
        elif kind not in (None, "complete"):
            await self._report(running, "unknown", None, f"the server answered a {kind}"[:200])
            text = (
                "UNKNOWN: the call was made, and the server goes on with it by itself. Nobody here "
                "learns how it ends; people are asked. Do not make it again."
            )
            result = told(UNKNOWN, text, **running.meta)
        else:
            result = await self._finished(message, running, answer)
        return {"jsonrpc": "2.0", "id": id_of(message), "result": result}

    def _approved(self, message: Message, running: Running) -> dict[str, Any]:
        """Name and arguments are those that were approved; beside them, what the protocol needs."""
        meta = {
            name: value for name, value in meta_of(message).items() if name.startswith(PASSED_META)
        }
        capabilities = meta.get(CAPABILITIES)
        if isinstance(capabilities, dict) and isinstance(capabilities.get("extensions"), dict):
            extensions = {k: v for k, v in capabilities["extensions"].items() if k != TASKS}
            meta[CAPABILITIES] = capabilities | {"extensions": extensions}
        if running.claim.grant:
            meta["paraph/grant"] = running.claim.grant
        params: dict[str, Any] = {"name": running.name, "arguments": running.claim.arguments}
        if running.state is not None:
            params["requestState"] = running.state
        if "inputResponses" in message["params"]:
            params["inputResponses"] = message["params"]["inputResponses"]
        return params | ({"_meta": meta} if meta else {})

    async def _finished(
        self, message: Message, running: Running, answer: Message
    ) -> dict[str, Any]:
        result = answer.get("result")
        if not isinstance(result, dict):
            said = json.dumps(answer.get("error"))[:2000]
            await self._report(running, "failed", None, said)
            text = f"FAILED: the approved call was tried, and the server refused it: {said}"
            refused: dict[str, Any] = result_for(message, told(FAILED, text, **running.meta))
            return dict(refused["result"])
        changed = ""
        if running.is_changed:
            arguments = canonical(running.claim.arguments).decode()
            changed = f" A person has changed the arguments: {arguments}"
        if result.get("isError"):
            said = json.dumps(result.get("content"))[:2000]
            await self._report(running, "failed", None, said)
            text = f"FAILED: the approved call was tried, and went wrong.{changed}"
            return with_outcome(result, FAILED, text, running.meta)
        await self._report(running, "succeeded", result.get("structuredContent"), "")
        text = f"EXECUTED: the approved call was made, once.{changed}"
        return with_outcome(result, EXECUTED, text, running.meta)

    def _next_round(self, running: Running, result: dict[str, Any]) -> dict[str, Any]:
        """The server asks the client something; the call goes on under the same claim."""
        handle = secrets.token_urlsafe(32)
        running.state = result.get("requestState")
        self._rounds[handle] = running
        expiring = asyncio.create_task(self._expire(handle))
        running.claim.state.extra["expiring"] = expiring  # kept while it runs
        return result | {"requestState": handle}

    async def _expire(self, handle: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROUND_SECONDS):
                while (running := self._rounds.get(handle)) is not None:
                    await asyncio.sleep(running.claim.state.every)
                    if handle in self._rounds:
                        with contextlib.suppress(ParaphError):
                            await running.claim.renew()
        if (running := self._rounds.pop(handle, None)) is not None:
            await self._report(running, "unknown", None, "the client has not answered the server")

    async def _keep(self, running: Running) -> None:
        """The lease; and an emergency stop reaches the server."""
        while True:
            await asyncio.sleep(running.claim.state.every)
            with contextlib.suppress(ParaphError):
                if await running.claim.renew():
                    await self.upstream.cancel(running.own_id, "it was told to stop")
                    return

    async def _report(self, running: Running, status: str, result: Any, error: str) -> None:
        """What cannot be delivered becomes unknown, when the lease is over."""
        self.open.forget(running.digest)
        try:
            canonical(result)
        except (TypeError, ValueError):
            result = None
        try:
            await running.claim.report(status, result, error)
        except ParaphError as refusal:
            logger.warning("The action %s could not be reported: %s", running.action, refusal)


class OpenQuestions:
    """By the digest of a call, the action that is asked about it: kept over restarts."""

    def __init__(self, project: str, server: str) -> None:
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        name = hashlib.sha256(f"{project}\0{server}".encode()).hexdigest()[:32]
        self.folder = Path(home) / "paraph" / "mcp-proxy" / name

    def _path(self, digest: str) -> Path:
        return self.folder / digest.removeprefix("sha256:")

    def get(self, digest: str) -> str:
        """Empty where none is known."""
        try:
            return self._path(digest).read_text()
        except OSError:
            return ""

    def put(self, digest: str, action: str) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path(digest).write_text(action)

    def forget(self, digest: str) -> None:
        self._path(digest).unlink(missing_ok=True)
