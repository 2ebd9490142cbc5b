"""What a client may say."""

import json
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from audit.event_types import EventType
from audit.filters import BIGGEST_SEQUENCE

MAX_WINDOW = 10_000

Id = Annotated[str, Field(min_length=1, max_length=100)]
Sequence = Annotated[int, Field(ge=0, le=BIGGEST_SEQUENCE)]


class Message(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False)


class ConnectionInit(Message):
    """The first word on `/ws/`, with a ticket where the handshake brought no login."""

    type: Literal["connection_init"]
    ticket: Annotated[str, Field(max_length=200)] | None = None


class Subscribe(Message):
    """Listen to a project, or to `inbox`: what waits for me, over all my projects."""

    type: Literal["subscribe"]
    id: Id
    project: UUID | Literal["inbox"]
    epoch: Annotated[str, Field(max_length=32)] | None = None
    after: Sequence = 0
    types: Annotated[list[EventType], Field(min_length=1)] | None = None
    window: Annotated[int, Field(ge=1, le=MAX_WINDOW)] | None = None


class Ack(Message):
    """Everything of this subscription up to `sequence` has arrived."""

    type: Literal["ack"]
    id: Id
    sequence: Sequence


class Complete(Message):
    """No more of this subscription."""

    type: Literal["complete"]
    id: Id


class Ping(Message):
    type: Literal["ping"]


class Pong(Message):
    type: Literal["pong"]


ClientMessage = Annotated[
    ConnectionInit | Subscribe | Ack | Complete | Ping | Pong, Field(discriminator="type")
]
FRAMES = {"connection_init", "subscribe", "ack", "complete", "ping", "pong"}
client_message: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)


def refusal(error: ValidationError) -> tuple[str, str]:
    """Code and detail that name the field at fault."""
    first = error.errors(include_url=False, include_context=False)[0]
    path = [str(part) for part in first["loc"] if part not in FRAMES]
    if not path:
        return "bad_message", first["msg"]
    return f"invalid_{path[0]}", f"{'.'.join(path)}: {first['msg']}"


def wanted_id(text: str) -> str | None:
    """The id of a `subscribe` that is JSON, if not much else."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    if not isinstance(content, dict) or content.get("type") != "subscribe":
        return None
    id = content.get("id")
    return id if isinstance(id, str) and 1 <= len(id) <= 100 else None
