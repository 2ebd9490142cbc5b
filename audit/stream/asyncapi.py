"""The protocol as an AsyncAPI 3 document; a client's messages are described by what parses them."""

from typing import Any

import yaml
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from audit.chain import HEADER_FIELDS
from audit.enums import EventSource
from audit.event_types import event_types
from audit.stream.protocol import (
    SUBPROTOCOL,
    Ack,
    Close,
    Complete,
    ConnectionInit,
    Ping,
    Pong,
    Subscribe,
    limits,
)

CLIENT_MESSAGES = (ConnectionInit, Subscribe, Ack, Complete, Ping, Pong)
TEXT = {"type": "string"}
SEQUENCE = {"type": "integer", "minimum": 0}
UUID = {"type": "string", "format": "uuid"}
MAYBE_UUID = {"type": ["string", "null"], "format": "uuid"}
HASH = {"type": "string", "pattern": "^[0-9a-f]{64}$"}

EVENT_FIELDS: dict[str, Any] = {
    "id": {"type": "integer"},
    "project": UUID,
    "epoch": TEXT,
    "sequence": {"type": "integer", "minimum": 1},
    "event_type": {"enum": event_types.values},
    "event_source": {"enum": EventSource.values},
    "actor": TEXT,
    "task": MAYBE_UUID,
    "hitl_request": MAYBE_UUID,
    "data": {"type": "object"},
    "salt": TEXT,
    "metadata": {"type": "object"},
    "created_at": {"type": "string", "format": "date-time"},
    "payload_hash": HASH,
    "previous_hash": {"type": "string", "pattern": "^([0-9a-f]{64})?$"},
    "hash": HASH,
}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": required | (optional or {}),
        "required": [*required],
        "additionalProperties": False,
    }


def _frame(kind: str, required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict:
    return _object({"type": {"const": kind}} | required, optional)


EVENT = _object(EVENT_FIELDS)
# What an agent at work shows: which of its outputs it writes, and the beginning of one it wrote.
EPHEMERAL = _object(
    {
        "kind": {"enum": ["progress", "partial_output", "writing"]},
        "task": UUID,
        "step": TEXT,
        "agent_type": TEXT,
        "artifact_type": TEXT,
        "number": {"type": "integer", "minimum": 1},
        "of": {"type": "integer", "minimum": 1},
    },
    {"text": TEXT, "call": TEXT},
)
SERVER_FRAMES: dict[str, dict[str, Any]] = {
    "connection_ack": _frame(
        "connection_ack",
        {
            "connection_id": TEXT,
            "heartbeat_seconds": {"type": "number"},
            "max_subscriptions": {"type": "integer"},
        },
    ),
    "subscribed": _frame(
        "subscribed",
        {
            "id": TEXT,
            "project": UUID,
            "epoch": TEXT,
            "head": SEQUENCE,
            "from": SEQUENCE,
            "recovered": {"type": "boolean"},
        },
    ),
    "event": _frame(
        "event",
        {"id": TEXT, "sequence": SEQUENCE, "replay": {"type": "boolean"}, "event": EVENT},
        {"previous": SEQUENCE},
    ),
    "caught_up": _frame("caught_up", {"id": TEXT, "sequence": SEQUENCE}),
    "reset": _frame(
        "reset",
        {
            "id": TEXT,
            "reason": {"enum": ["epoch_changed", "ahead_of_head"]},
            "epoch": TEXT,
            "head": SEQUENCE,
        },
    ),
    "ephemeral": _frame("ephemeral", {"id": TEXT, "content": EPHEMERAL}),
    "inbox": _frame("inbox", {"id": TEXT, "items": {"type": "array", "items": {"type": "object"}}}),
    "ping": _frame("ping", {"heads": {"type": "object", "additionalProperties": SEQUENCE}}),
    "pong": _frame("pong", {}),
    "error": _frame("error", {"code": TEXT, "detail": TEXT}, {"id": TEXT}),
    "complete": _frame("complete", {"id": TEXT, "code": {"enum": ["completed", "not_allowed"]}}),
}


def server_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of each frame that the server sends, by its type."""
    return SERVER_FRAMES


def document() -> dict[str, Any]:
    messages = {f"server_{kind}": {"payload": schema} for kind, schema in SERVER_FRAMES.items()}
    for model in CLIENT_MESSAGES:
        kind = model.model_fields["type"].annotation.__args__[0]
        messages[f"client_{kind}"] = {"payload": _without_defs(model.model_json_schema())}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Paraph events",
            "version": SUBPROTOCOL.rpartition(".")[2],
            "description": _description(),
        },
        "defaultContentType": "application/json",
        "channels": {
            "stream": _channel("/ws/", messages),
            "project": _channel("/ws/projects/{project_id}/", messages)
            | {"parameters": {"project_id": {"description": "UUID of the project"}}},
        },
        "operations": {
            f"{channel}_{action}": _operation(channel, action, messages)
            for channel in ("stream", "project")
            for action in ("send", "receive")
        },
        "components": {"messages": messages},
    }


def _channel(address: str, messages: dict[str, Any]) -> dict[str, Any]:
    references = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    return {"address": address, "messages": references}


def _operation(channel: str, action: str, messages: dict[str, Any]) -> dict[str, Any]:
    """As the server sees it: it sends frames and receives messages."""
    prefix = "server_" if action == "send" else "client_"
    names = [name for name in messages if name.startswith(prefix)]
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
    }


def _description() -> str:
    codes = ", ".join(f"{code.value} {code.name.lower()}" for code in Close)
    return (
        f"Subprotocol {SUBPROTOCOL}. JSON text frames, inbound at most {limits().max_frame_bytes} "
        f"bytes. Events carry the hashed fields {', '.join(HEADER_FIELDS)}. Close codes: {codes}. "
        "The rules are in docs/stream.md."
    )


def _without_defs(schema: dict[str, Any]) -> dict[str, Any]:
    """References within a message would point into the whole document."""
    defs = schema.pop("$defs", {})

    def inline(node: Any) -> Any:
        if isinstance(node, dict):
            if "$ref" in node:
                return inline(defs[node["$ref"].rpartition("/")[2]])
            return {key: inline(value) for key, value in node.items()}
        return [inline(value) for value in node] if isinstance(node, list) else node

    return inline(schema)


class _Plain(yaml.SafeDumper):
    """Without anchors, which a reader of the document would have to follow."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@require_safe
def asyncapi_document(request: HttpRequest) -> HttpResponse:
    text = yaml.dump(document(), Dumper=_Plain, sort_keys=False, allow_unicode=True)
    return HttpResponse(text, content_type="application/yaml")
