"""What the server sends, and the codes with which it closes. `docs/stream.md` describes them."""

import json
from enum import IntEnum
from typing import Any

from audit.stream.queries import Item

SUBPROTOCOL = "paraph.events.v1"


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
