"""The protocol: what clients may send, what the server sends, its limits and its close codes.

`docs/stream.md` describes it.
"""

import json
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID

from django.conf import settings
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from audit.event_types import EventType
from audit.filters import BIGGEST_SEQUENCE
from audit.stream.queries import Item

SUBPROTOCOL = "paraph.events.v1"
MAX_WINDOW = 10_000


class Close(IntEnum):
    NORMAL = 1000
    BAD_MESSAGE = 4400
    NOT_LOGGED_IN = 4401
    NOT_ALLOWED = 4403
    NOT_FOUND = 4404
    WRONG_SUBPROTOCOL = 4406
    NO_INIT = 4408
    TOO_MANY = 4429
    GOING_AWAY = 4503
    TOO_SLOW = 4508
    NO_PONG = 4512


@dataclass(frozen=True)
class Limits:
    """Seconds and counts of the protocol; `settings.STREAM_LIMITS` may set other ones."""

    init_seconds: float = 5
    heartbeat_seconds: float = 20
    pong_seconds: float = 10
    recheck_seconds: float = 60
    # Without an acknowledgement in a full window, or without reading at all.
    stalled_seconds: float = 60
    max_frame_bytes: int = 64 * 1024
    max_subscriptions: int = 100
    # Of one user, in one server process.
    max_connections: int = 2000
    # What a client may send: at once, and on the average.
    frames_burst: int = 1000
    frames_per_second: int = 200


@cache
def limits() -> Limits:
    return Limits(**getattr(settings, "STREAM_LIMITS", {}))


def frame(kind: str, **fields: Any) -> str:
    """A control frame; fields that are None are left out."""
    content = {"type": kind} | {name: value for name, value in fields.items() if value is not None}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def event_frame(id_json: str, item: Item, *, replay: bool, previous: int | None = None) -> str:
    """Around an event that was written out already; `id_json` is the subscription's id as JSON."""
    hole = "" if previous is None else f'"previous":{previous},'
    return (
        f'{{"type":"event","id":{id_json},"sequence":{item.sequence},{hole}'
        f'"replay":{"true" if replay else "false"},"event":{item.text}}}'
    )


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


def subscription_id(text: str) -> str | None:
    """The id of a `subscribe` that is JSON, if not much else."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    if not isinstance(content, dict) or content.get("type") != "subscribe":
        return None
    id = content.get("id")
    return id if isinstance(id, str) and 1 <= len(id) <= 100 else None
