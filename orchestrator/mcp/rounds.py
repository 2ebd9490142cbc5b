"""A client that can open addresses is sent to the card of its call, and comes back for the answer.

What it carries meanwhile is sealed, bound to its credential and to this call, and taken once.
"""

import json
import secrets
from typing import Any

import redis
from django.conf import settings
from django.utils.crypto import salted_hmac
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp_types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestURLParams,
    InputRequiredResult,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from core.token_bucket import redis_client, shared_key
from hitl.enums import ActionStatus

STATE_SECONDS = 600
OPEN = (
    "An agent asks for approval of a call. Open its card to read it. Whoever decides logs in, "
    "and must be one of those who may."
)


def new_boundary() -> RequestStateBoundary:
    """The same in each web process."""
    keys = [
        salted_hmac("paraph.mcp.request_state", "", key, algorithm="sha256").digest()
        for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    ]
    security = RequestStateSecurity(
        keys=keys,
        ttl=STATE_SECONDS,
        bind_principal=lambda context: str(context.request.scope["agent"].credential.pk),
    )
    return RequestStateBoundary(security, default_audience="paraph")


def sent_to_the_card(context: Any, result: CallToolResult) -> InputRequiredResult | None:
    """None for clients that open no addresses, and where nobody has to decide."""
    if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return None  # there is no way back to older ones without a session
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    action = result.structured_content or {}
    if elicitation is None or elicitation.url is None:
        return None
    if action.get("status") != ActionStatus.PENDING or not action["review"]:
        return None
    state = {"action": action["action_id"], "once": secrets.token_urlsafe(16)}
    request = ElicitRequest(params=ElicitRequestURLParams(message=OPEN, url=action["review"]))
    return InputRequiredResult(input_requests={"card": request}, request_state=json.dumps(state))


def is_first_use(state: str) -> bool:
    """Of what a client has brought back. Where that cannot be known, it is not."""
    name = shared_key("mcp-state", json.loads(state)["once"])
    try:
        return bool(redis_client().set(name, 1, nx=True, ex=STATE_SECONDS + 60))
    except redis.RedisError:
        return False
