import asyncio
import logging
import secrets
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from uuid import UUID

from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import InterfaceError, OperationalError
from pydantic import ValidationError

from audit.access import access_policy
from audit.metrics import CONNECTIONS
from audit.stream.authentication import Credentials
from audit.stream.hub import hub
from audit.stream.protocol import (
    SUBPROTOCOL,
    Ack,
    Close,
    Subscribe,
    client_message,
    frame,
    limits,
    refusal,
)
from audit.stream.queries import in_database
from audit.stream.subscription import (
    InboxSubscription,
    Position,
    Stalled,
    Subscription,
    with_time_limit,
)
from core.errors import Forbidden
from core.log_fields import note
from core.token_bucket import TokenBucket

CLOSE_SECONDS = 1.0

logger = logging.getLogger(__name__)


class ClosingError(Exception):
    """Ends the connection with a code, after an `error` frame where there is something to say."""

    def __init__(self, close: Close, code: str = "", detail: str = "") -> None:
        self.close, self.code, self.detail = close, code, detail


class Listener(AsyncWebsocketConsumer):
    """A WebSocket that listens: who it is, its subscriptions, its end.

    It has no channel of the channel layer; the hub of the process receives for all.
    """

    channel_layer_alias = None
    route = "none"

    async def connect(self) -> None:
        self.connection_id = secrets.token_hex(8)
        note(route=self.route, connection_id=self.connection_id)
        self.user: Any = None
        self.subscriptions: dict[str, Subscription | InboxSubscription] = {}
        self.tasks: dict[str, asyncio.Task] = {}
        self.is_closed = False
        self.frames_allowed = TokenBucket(limits().frames_burst, limits().frames_per_second)
        self.pong = asyncio.Event()
        self.send_in_time = with_time_limit(self.base_send)
        self.waiting_sends = 0
        self.ephemeral_sends: set[asyncio.Task] = set()
        self.closing: asyncio.Task | None = None
        offered = self.scope.get("subprotocols") or []
        self.speaks_protocol = SUBPROTOCOL in offered
        # Accepted first, for a browser sees no code of a handshake that was refused.
        await self.accept(SUBPROTOCOL if self.speaks_protocol else next(iter(offered), None))
        if not self.knows_subprotocol(offered):
            await self.end(Close.WRONG_SUBPROTOCOL)
            return
        self.start("serve", self.serve())

    def knows_subprotocol(self, offered: list[str]) -> bool:
        raise NotImplementedError

    async def serve(self) -> None:
        raise NotImplementedError

    async def dispatch(self, message: dict[str, Any]) -> None:
        # Not the inherited one: it visits the database thread for each message.
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def disconnect(self, code: int) -> None:
        self.leave()

    def leave(self) -> None:
        self.is_closed = True
        if self in hub().listeners:
            hub().listeners.discard(self)
            CONNECTIONS.labels("websocket").dec()
        self.stop_all()

    def start(self, name: str, work: Coroutine) -> None:
        self.tasks[name] = asyncio.create_task(self.guard(work))

    def stop(self, name: str) -> None:
        if name in self.tasks:
            self.tasks.pop(name).cancel()

    def stop_all(self) -> None:
        for name in [*self.tasks]:
            if self.tasks[name] is asyncio.current_task():
                continue
            self.stop(name)

    async def guard(self, work: Coroutine) -> None:
        """A failure of one part ends the connection with a code that says what to do."""
        try:
            await work
        except ClosingError as error:
            if error.code:
                with suppress(Stalled, OSError):
                    await self.send_frame("error", code=error.code, detail=error.detail)
            await self.end(error.close)
        except Stalled:
            await self.end(Close.TOO_SLOW)
        except (OperationalError, InterfaceError) as error:
            logger.warning("listener without database", extra={"error": repr(error)})
            await self.end(Close.GOING_AWAY)
        except OSError:
            # The client went away in the middle of a frame.
            self.leave()
        except Exception:
            logger.exception("listener failed")
            await self.end(Close.GOING_AWAY)

    async def send_frame(self, kind: str, **fields: Any) -> None:
        await self.send_text(frame(kind, **fields))

    async def send_text(self, text: str) -> None:
        """Waits while the client does not read. Raises Stalled, or OSError if the client left."""
        if self.is_closed:
            return
        self.waiting_sends += 1
        try:
            await self.send_in_time({"type": "websocket.send", "text": text})
        finally:
            self.waiting_sends -= 1

    def send_soon(self, text: str) -> None:
        """For what may be lost: it is dropped for a client that does not keep up."""
        if self.is_closed or self.waiting_sends:
            return
        task = asyncio.create_task(self.guard(self.send_text(text)))
        self.ephemeral_sends.add(task)
        task.add_done_callback(self.ephemeral_sends.discard)

    async def end(self, code: Close) -> None:
        if not getattr(self, "is_closed", True):
            self.leave()
            # A client that does not read gets its code when it does; nobody waits for that.
            self.closing = asyncio.create_task(self.send_close(code))
            await asyncio.wait({self.closing}, timeout=CLOSE_SECONDS)

    async def send_close(self, code: Close) -> None:
        with suppress(OSError):
            await self.close(int(code))

    async def log_in(self, credentials: Credentials) -> None:
        if credentials.is_foreign:
            detail = "A page of this origin may not use the session."
            raise ClosingError(Close.NOT_ALLOWED, "foreign_origin", detail)
        self.credentials = credentials
        try:
            self.user = await in_database(credentials.user)
        except Forbidden as error:
            raise ClosingError(Close.NOT_ALLOWED, error.code, error.detail) from None
        if self.user is None:
            raise ClosingError(Close.NOT_LOGGED_IN)
        note(user=self.user.pk)
        open_already = sum(listener.user.pk == self.user.pk for listener in hub().listeners)
        if open_already >= limits().max_connections:
            detail = f"You have {open_already} connections here; close some."
            raise ClosingError(Close.TOO_MANY, "too_many_connections", detail)
        hub().listeners.add(self)
        CONNECTIONS.labels("websocket").inc()
        self.start("recheck", self.recheck())
        if self.speaks_protocol:
            self.start("heartbeat", self.heartbeat())

    async def recheck(self) -> None:
        """Whether the login still holds and the projects may still be seen."""
        while True:
            await asyncio.sleep(limits().recheck_seconds)
            if await in_database(self.credentials.user) is None:
                await self.log_out()
            for subscription in self.project_subscriptions():
                if not await in_database(self.may_see, subscription.project_id):
                    await self.dismiss(subscription)

    def project_subscriptions(self) -> list[Subscription]:
        return [
            subscription
            for subscription in self.subscriptions.values()
            if isinstance(subscription, Subscription)
        ]

    async def dismiss(self, subscription: Subscription) -> None:
        """It may not be seen any more."""
        raise NotImplementedError

    async def go_away(self) -> None:
        await self.end(Close.GOING_AWAY)

    async def log_out(self) -> None:
        await self.end(Close.NOT_LOGGED_IN)

    async def heartbeat(self) -> None:
        while True:
            await asyncio.sleep(limits().heartbeat_seconds)
            self.pong.clear()
            await self.send_frame("ping", heads=self.heads())
            try:
                await asyncio.wait_for(self.pong.wait(), limits().pong_seconds)
            except TimeoutError:
                raise ClosingError(Close.NO_PONG) from None

    def heads(self) -> dict[str, int]:
        """By subscription, so that a client sees that it is behind."""
        return {
            subscription.id: subscription.buffer.head.sequence
            for subscription in self.project_subscriptions()
            if subscription.buffer is not None
        }

    async def acknowledge_init(self) -> None:
        await self.send_frame(
            "connection_ack",
            connection_id=self.connection_id,
            heartbeat_seconds=limits().heartbeat_seconds,
            max_subscriptions=limits().max_subscriptions,
        )

    def add(self, subscribe: Subscribe) -> None:
        self.subscriptions[subscribe.id] = Subscription(
            id=subscribe.id,
            project_id=subscribe.project,
            position=Position(subscribe.after, subscribe.epoch),
            types=frozenset(subscribe.types) if subscribe.types else None,
            window=subscribe.window,
            send=self.send_text,
            send_soon=self.send_soon,
            may_see=self.may_see,
        )

    def may_see(self, project_id: UUID) -> bool:
        return access_policy().may_see(self.user, project_id)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.is_closed:
            return
        await self.guard(self.receive_text(text_data))

    async def receive_text(self, text: str | None) -> None:
        if self.frames_allowed.take() > 0:
            detail = f"At most {limits().frames_per_second} frames a second."
            raise ClosingError(Close.TOO_MANY, "too_many_frames", detail)
        if text is None or len(text.encode()) > limits().max_frame_bytes:
            detail = "Send JSON in text frames of at most 64 KiB."
            raise ClosingError(Close.BAD_MESSAGE, "bad_message", detail)
        try:
            message = client_message.validate_json(text)
        except ValidationError as error:
            await self.refuse(text, error)
            return
        await getattr(self, f"on_{message.type}")(message)

    async def refuse(self, text: str, error: ValidationError) -> None:
        raise ClosingError(Close.BAD_MESSAGE, *refusal(error))

    async def on_ping(self, message: Any) -> None:
        await self.send_frame("pong")

    async def on_pong(self, message: Any) -> None:
        self.pong.set()

    async def on_ack(self, message: Ack) -> None:
        if message.id in self.subscriptions:
            self.subscriptions[message.id].acknowledge(message.sequence)
