"""Agents ask people before they act: ask, wait, claim, report."""

from typing import Any, TypeVar, Unpack, overload

from paraph.actions import AskOptions, ClaimState
from paraph.canonical import action_digest
from paraph.client import Action, AsyncAction, AsyncClaim, AsyncClient, Claim, Client
from paraph.connection import Connection
from paraph.errors import (
    ActionFailed,
    ApiError,
    EffectExists,
    GrantRefused,
    NotApproved,
    NotExecuted,
    OutcomeUnknown,
    ParaphError,
    ResultNotKept,
    StillPending,
    Unavailable,
)
from paraph.gated import Outcome, current_claim, default_async_client, default_client, gate
from paraph.grants import Grant, Keys, Seen, SeenInFile, SeenInMemory, verify_grant
from paraph.work import (
    Output,
    Question,
    Released,
    Result,
    Stopped,
    Work,
    Worker,
    WorkFailed,
    worker,
)

A = TypeVar("A")
__version__ = "0.1.0"


@overload
def ask(
    tool: str,
    arguments: dict[str, Any],
    *,
    response_schema: type[A],
    **options: Unpack[AskOptions],
) -> Action[A]: ...
@overload
def ask(
    tool: str,
    arguments: dict[str, Any],
    *,
    response_schema: dict[str, Any] | None = None,
    **options: Unpack[AskOptions],
) -> Action[Any]: ...
def ask(
    tool: str,
    arguments: dict[str, Any],
    *,
    response_schema: Any = None,
    **options: Unpack[AskOptions],
) -> Action[Any]:
    """`Client.ask` with what the environment says."""
    return default_client().ask(tool, arguments, response_schema=response_schema, **options)


__all__ = [
    "Action",
    "ActionFailed",
    "ApiError",
    "AskOptions",
    "AsyncAction",
    "AsyncClaim",
    "AsyncClient",
    "Claim",
    "ClaimState",
    "Client",
    "Connection",
    "EffectExists",
    "Grant",
    "GrantRefused",
    "Keys",
    "NotApproved",
    "NotExecuted",
    "Outcome",
    "OutcomeUnknown",
    "Output",
    "ParaphError",
    "Question",
    "Released",
    "Result",
    "ResultNotKept",
    "Seen",
    "SeenInFile",
    "SeenInMemory",
    "StillPending",
    "Stopped",
    "Unavailable",
    "Work",
    "WorkFailed",
    "Worker",
    "action_digest",
    "ask",
    "current_claim",
    "default_async_client",
    "default_client",
    "gate",
    "verify_grant",
    "worker",
]
