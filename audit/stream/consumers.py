import asyncio
from typing import Any
from urllib.parse import parse_qs

from django.urls import path, re_path
from pydantic import ValidationError

from audit.stream.authentication import Credentials, TicketsUnavailable, redeem_ticket
from audit.stream.listener import ClosingError, Listener
from audit.stream.protocol import (
    SUBPROTOCOL,
    Close,
    Complete,
    ConnectionInit,
    Subscribe,
    limits,
    refusal,
    subscription_id,
)
from audit.stream.queries import in_database
from audit.stream.subscription import (
    InboxSubscription,
    NotVisible,
    Subscription,
    inbox_source,
)
from core.log_fields import note


class UnknownPath(Listener):
    """No such socket, said with a code: a refused handshake tells a browser nothing."""

    def knows_subprotocol(self, offered: list[str]) -> bool:
        return True

    async def serve(self) -> None:
        await self.end(Close.NOT_FOUND)


class ProjectConsumer(Listener):
    """`/ws/projects/{id}/?after=N&epoch=E`: one project, subscribed at once."""

    route = "ws/projects/<uuid:project_id>/"

    def knows_subprotocol(self, offered: list[str]) -> bool:
        return not offered or SUBPROTOCOL in offered

    async def serve(self) -> None:
        await self.log_in(self.scope["credentials"])
        subscribe = self.subscribe_message()
        self.add(subscribe)
        subscription = self.subscriptions[subscribe.id]
        try:
            await subscription.run()
        except NotVisible:
            # A member who was removed may know that there is such a project.
            close = Close.NOT_ALLOWED if subscription.is_begun else Close.NOT_FOUND
            raise ClosingError(close) from None

    def subscribe_message(self) -> Subscribe:
        """What the path and the query ask for."""
        query = parse_qs(self.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        fields: dict[str, Any] = {name: values[-1] for name, values in query.items()}
        if "types" in fields:
            fields["types"] = fields["types"].split(",")
        project = str(self.scope["url_route"]["kwargs"]["project_id"])
        note(project=project)
        try:
            return Subscribe.model_validate(
                fields | {"type": "subscribe", "id": project, "project": project}
            )
        except ValidationError as error:
            raise ClosingError(Close.BAD_MESSAGE, *refusal(error)) from None

    async def dismiss(self, subscription: Subscription) -> None:
        await self.end(Close.NOT_ALLOWED)

    async def on_connection_init(self, message: ConnectionInit) -> None:
        await self.acknowledge_init()

    async def on_subscribe(self, message: Subscribe) -> None:
        detail = "This socket carries one project; for more, connect to /ws/."
        await self.send_frame("error", id=message.id, code="not_here", detail=detail)

    async def on_complete(self, message: Complete) -> None:
        await self.end(Close.NORMAL)


class StreamConsumer(Listener):
    """`/ws/`: one connection, many subscriptions."""

    route = "ws/"

    async def connect(self) -> None:
        self.is_ready = asyncio.Event()
        await super().connect()

    def knows_subprotocol(self, offered: list[str]) -> bool:
        return SUBPROTOCOL in offered

    async def serve(self) -> None:
        try:
            await asyncio.wait_for(self.is_ready.wait(), limits().init_seconds)
        except TimeoutError:
            raise ClosingError(Close.NO_INIT) from None

    async def on_connection_init(self, message: ConnectionInit) -> None:
        if self.is_ready.is_set():
            detail = "connection_init comes once, first."
            raise ClosingError(Close.TOO_MANY, "already_initialised", detail)
        await self.log_in(await self.credentials_for(message))
        self.is_ready.set()
        await self.acknowledge_init()

    async def credentials_for(self, message: ConnectionInit) -> Credentials:
        if message.ticket is None:
            return self.scope["credentials"]
        try:
            credentials = await in_database(redeem_ticket, message.ticket)
        except TicketsUnavailable:
            raise ClosingError(Close.GOING_AWAY) from None
        if credentials is None:
            detail = "This ticket is unknown, used or expired. Get a new one."
            raise ClosingError(Close.NOT_LOGGED_IN, "bad_ticket", detail)
        return credentials

    async def on_subscribe(self, message: Subscribe) -> None:
        self.require_init()
        if message.id in self.subscriptions:
            detail = f"A subscription {message.id} is there already; choose another id."
            await self.send_frame("error", id=message.id, code="id_taken", detail=detail)
            return
        if len(self.subscriptions) >= limits().max_subscriptions:
            detail = f"At most {limits().max_subscriptions} subscriptions a connection."
            raise ClosingError(Close.TOO_MANY, "too_many_subscriptions", detail)
        if message.project != "inbox":
            self.add(message)
        elif inbox_source() is not None:
            inbox = InboxSubscription(message.id, self.user, self.send_text)
            self.subscriptions[message.id] = inbox
        else:
            detail = "This server has no inbox to listen to."
            await self.send_frame("error", id=message.id, code="no_inbox", detail=detail)
            return
        self.start(f"subscription {message.id}", self.run(message.id))

    async def run(self, id: str) -> None:
        subscription = self.subscriptions[id]
        try:
            await subscription.run()
        except NotVisible:
            if subscription.is_begun:
                await self.dismiss(subscription)
                return
            del self.subscriptions[id]
            detail = "There is no such project, or you may not see it."
            await self.send_frame("error", id=id, code="not_found", detail=detail)

    async def dismiss(self, subscription: Subscription) -> None:
        if self.subscriptions.pop(subscription.id, None):
            await self.send_frame("complete", id=subscription.id, code="not_allowed")
            self.stop(f"subscription {subscription.id}")

    async def on_ack(self, message: Any) -> None:
        self.require_init()
        await super().on_ack(message)

    async def on_complete(self, message: Complete) -> None:
        self.require_init()
        self.stop(f"subscription {message.id}")
        if self.subscriptions.pop(message.id, None):
            await self.send_frame("complete", id=message.id, code="completed")

    async def refuse(self, text: str, error: ValidationError) -> None:
        """A subscription that cannot be gets an error; anything else ends the connection."""
        id = subscription_id(text)
        if id is None:
            await super().refuse(text, error)
            return
        code, detail = refusal(error)
        await self.send_frame("error", id=id, code=code, detail=detail)

    def require_init(self) -> None:
        if not self.is_ready.is_set():
            detail = "Send connection_init first, and wait for connection_ack."
            raise ClosingError(Close.NOT_LOGGED_IN, "not_initialised", detail)


websocket_urlpatterns = [
    path("ws/", StreamConsumer.as_asgi()),
    path("ws/projects/<uuid:project_id>/", ProjectConsumer.as_asgi()),
    re_path("", UnknownPath.as_asgi()),
]
