"""Claim an approved action, and report how it ended. One caller gets it, once."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from agents.enums import RequestKind
from agents.models import EmergencyStop
from core.errors import Conflict, DomainError, Forbidden, Gone
from hitl.agent_actions.approval import why_not_enough
from hitl.agent_actions.asks import (
    changed_versions,
    check_effect_is_free,
    lock_own_action,
    open_action_request,
)
from hitl.agent_actions.digests import canonical_text, changed_call
from hitl.agent_actions.grants import make_grant, private_keys
from hitl.agent_actions.records import ENDED, close_action, facts_of, finish_action
from hitl.enums import ActionStatus, RequestStatus
from hitl.events import ACTION_CLAIMED, ACTION_UNKNOWN
from hitl.models import AgentAction
from hitl.services.integrity import record_change
from hitl.services.locks import database_time
from hitl.services.records import close_request
from projects.credentials import actor_of
from projects.enums import ProjectStatus
from projects.models import AgentCredential
from projects.transaction import ProjectOf, ProjectTransaction

logger = logging.getLogger(__name__)

ERROR_MAX = 10_000
OUTCOMES = (
    ActionStatus.SUCCEEDED,
    ActionStatus.FAILED,
    ActionStatus.NOT_EXECUTED,
    ActionStatus.UNKNOWN,
)
# How soon it is worth to ask again.
RETRY_SECONDS = 10
CLAIMED = ["status", "fence", "claim_key", "claimed_at", "lease_expires_at"]


@dataclass(frozen=True)
class Claim:
    """The right to do it now. `grant` lets the tool itself see that it was approved."""

    action: AgentAction
    grant: str | None


def claim_action(
    *,
    action_id: UUID,
    credential: AgentCredential,
    action_digest: str,
    precondition: Any = None,
    has_precondition: bool = False,
    key: str = "",
) -> Claim:
    """Take an approved action, for who asked for it, once.

    The same `key` repeats a claim that holds: its answer was lost on the way.

    All that could have changed since it was approved is looked at again: stops, the project, the
    credential, the time, the versions it rests on, what is outside, and the rules of approval.

    Raises NotFound; Conflict (`already_claimed`, `subject_changed`, `effect_exists`,
    `precondition_changed`, `integrity`); Forbidden (`not_approved`, `stopped`, `policy_denied`,
    `grant_pending`); Gone (`approval_expired`). Each says in `next_action` whether to ask anew, to
    retry, or neither.
    """
    where, refusal = ProjectOf("action", action_id), None
    with ProjectTransaction(where, actor_of(credential), missing="action") as tx:
        action = lock_own_action(tx, action_id, credential)
        now = database_time()
        if _is_held(action, key, action_digest, now):
            return Claim(action, make_grant(action, now))
        try:
            _check_claim(tx, action, action_digest, now, precondition, has_precondition)
        except DomainError as error:
            # What the look has changed stays: an approval that is over, or rests on old versions.
            refusal = error
        else:
            action.move(ActionStatus.EXECUTING)
            action.fence += 1
            action.claim_key = key
            action.claimed_at = now
            action.lease_expires_at = now + timedelta(seconds=settings.ACTION_LEASE_SECONDS)
            action.save(update_fields=CLAIMED)
            tx.record(ACTION_CLAIMED, **facts_of(action), fence=action.fence)
            grant = make_grant(action, now)
    if refusal is not None:
        raise refusal
    return Claim(action, grant)


def _is_held(action: AgentAction, key: str, digest: str, now: datetime) -> bool:
    """Not past its lease, nor during a stop: who has not begun yet does not begin any more."""
    return (
        key != ""
        and action.claim_key == key
        and action.status == ActionStatus.EXECUTING
        and action.lease_expires_at > now
        and action.action_digest == digest
        and changed_call(action) is None
        and not _is_stopped(action)
    )


def _check_claim(
    tx: ProjectTransaction,
    action: AgentAction,
    digest: str,
    now: datetime,
    precondition: Any,
    has_precondition: bool,
) -> None:
    if digest != action.action_digest:
        raise _refused(
            Conflict,
            "subject_changed",
            "This is not what was approved: a person may have changed the arguments. Read the "
            "action again, and claim what it says.",
            "retry",
            action_digest=action.action_digest,
        )
    if (changed := changed_call(action)) is not None:
        record_change(tx, changed)
        raise _refused(Conflict, changed.code, changed.detail, "none")
    if action.status == ActionStatus.PENDING:
        detail = "Nobody has decided on it yet."
        raise _refused(Forbidden, "not_approved", detail, "retry", retry_after=RETRY_SECONDS)
    if action.status == ActionStatus.EXPIRED:
        raise _refused(Gone, "approval_expired", "Its time is over.", "request")
    if action.status == ActionStatus.SUPERSEDED:
        detail = "What it rests on has changed since it was asked for."
        raise _refused(
            Conflict, "subject_changed", detail, "request", changed=changed_versions(action)
        )
    if action.status in (ActionStatus.DENIED, ActionStatus.ANSWERED, ActionStatus.CANCELLED):
        detail = f"The action is {action.status}; it must not be done."
        raise _refused(Forbidden, "not_approved", detail, "none", action_status=action.status)
    if action.status != ActionStatus.APPROVED:
        detail = f"It was claimed already; it is {action.status}."
        raise _refused(Conflict, "already_claimed", detail, "none", action_status=action.status)
    if _is_stopped(action):
        detail = "An emergency stop is active. Nothing may be done until it is released."
        raise _refused(Forbidden, "stopped", detail, "retry", retry_after=RETRY_SECONDS)
    if tx.project.status != ProjectStatus.ACTIVE:
        is_paused = tx.project.status == ProjectStatus.PAUSED
        detail = f"The project is {tx.project.status}."
        retry = {"retry_after": RETRY_SECONDS} if is_paused else {}
        raise _refused(Forbidden, "stopped", detail, "retry" if is_paused else "none", **retry)
    if action.approved_until is not None and action.approved_until <= now:
        close_action(tx, action, ActionStatus.EXPIRED, "nobody claimed it in time")
        detail = f"The approval was valid until {action.approved_until:%Y-%m-%d %H:%M:%S} UTC."
        raise _refused(Gone, "approval_expired", detail, "request")
    if changed := changed_versions(action):
        close_action(tx, action, ActionStatus.SUPERSEDED, "what it rests on has a newer version")
        detail = "A newer version exists of what it rests on. Look at it, and ask anew."
        raise _refused(Conflict, "subject_changed", detail, "request", changed=changed)
    if action.precondition:
        current = canonical_text(precondition) if has_precondition else ""
        if current != action.precondition:
            detail = (
                "The precondition is not what it was when this was asked for."
                if has_precondition
                else "Send the `precondition` as it is now: it was named when this was asked for."
            )
            raise _refused(Conflict, "precondition_changed", detail, "request")
    if reason := why_not_enough(action):
        raise _refused(Forbidden, "policy_denied", f"{reason} Ask anew.", "request")
    check_effect_is_free(action)
    try:
        private_keys()
    except (OSError, ValueError, LookupError, TypeError) as error:
        logger.exception("grants cannot be signed", extra={"path": settings.GRANT_KEY_FILE})
        detail = "It is approved, and its grant cannot be signed: the server cannot read its key."
        retry = {"retry_after": RETRY_SECONDS}
        raise _refused(Forbidden, "grant_pending", detail, "retry", **retry) from error


def _is_stopped(action: AgentAction) -> bool:
    """All agents, or the one of this name."""
    stops = EmergencyStop.objects.covering(action.project_id)
    return stops.filter(agent_type__in=("", action.agent["name"])).exists()


def _refused(
    kind: type[DomainError], code: str, detail: str, next_action: str, **extra: Any
) -> DomainError:
    return kind(code, detail, reason=code, next_action=next_action, **extra)


def renew_action_lease(
    *, action_id: UUID, credential: AgentCredential, fence: int
) -> tuple[AgentAction, bool]:
    """Still at it; and whether it should stop. Raises NotFound, Conflict `lease_lost`."""
    where = ProjectOf("action", action_id)
    with ProjectTransaction(where, actor_of(credential), missing="action") as tx:
        action = lock_own_action(tx, action_id, credential)
        if action.status != ActionStatus.EXECUTING or action.fence != fence:
            raise _lease_lost(action)
        lease = timedelta(seconds=settings.ACTION_LEASE_SECONDS)
        action.lease_expires_at = database_time() + lease
        action.save(update_fields=["lease_expires_at"])
        has_ended = tx.project.status not in (ProjectStatus.ACTIVE, ProjectStatus.PAUSED)
        stop = has_ended or _is_stopped(action)
    return action, stop


def _lease_lost(action: AgentAction) -> Conflict:
    detail = f"Your claim is over; the action is {action.status}. Do not do it again."
    return Conflict(
        "lease_lost", detail, action_status=action.status, reason="lease_lost", next_action="none"
    )


def report_outcome(
    *,
    action_id: UUID,
    credential: AgentCredential,
    fence: int,
    status: str,
    result: Any = None,
    error: str = "",
) -> AgentAction:
    """How it ended. `not_executed` is said only by who knows it; the same report is replayed.

    One that comes after the lease has run out still counts, as long as nobody else has said how it
    ended; that it succeeded, also where a person has allowed it once more meanwhile.

    Raises NotFound, Conflict (`lease_lost`, `already_reported`, `effect_exists`).
    """
    outcome = ActionStatus(status)
    result_text = "" if result is None else canonical_text(result)
    where = ProjectOf("action", action_id)
    with ProjectTransaction(where, actor_of(credential), missing="action") as tx:
        # Who has begun must be able to say how it ended, whatever became of the credential.
        action = tx.lock(AgentAction, action_id)
        if action.credential_id != credential.pk:
            raise Conflict("lease_lost", "Another agent has claimed it.")
        action.credential = credential
        if action.fence != fence or fence == 0:
            raise _lease_lost(action)
        if (action.status, outcome) == (ActionStatus.APPROVED, ActionStatus.SUCCEEDED):
            # A person has allowed it once more, and nobody has begun: it must not happen twice.
            check_effect_is_free(action)
            action.move(ActionStatus.EXECUTING)
        if action.status not in (ActionStatus.EXECUTING, ActionStatus.UNKNOWN):
            if (action.status, action.result, action.error) == (outcome, result_text, error):
                return action
            raise Conflict(
                "already_reported",
                f"The action is {action.status} already; an outcome is never changed.",
                action_status=action.status,
            )
        if outcome == ActionStatus.UNKNOWN:
            if action.status == ActionStatus.EXECUTING:
                action.error = error
                become_unknown(tx, action, "who tried it does not know how it ended")
            return action
        for request in action.requests.filter(status=RequestStatus.PENDING):
            close_request(tx, request, RequestStatus.SUPERSEDED, action=str(action.pk))
        finish_action(tx, action, outcome, result=result_text, error=error)
    return action


def become_unknown(tx: ProjectTransaction, action: AgentAction, reason: str) -> None:
    """Nobody knows whether it happened: a person is asked, and nothing is granted before."""
    action.move(ActionStatus.UNKNOWN)
    action.save(update_fields=ENDED)
    tx.record(ACTION_UNKNOWN, **facts_of(action), fence=action.fence, reason=reason)
    open_action_request(
        tx,
        action,
        kind=RequestKind.ESCALATION,
        title=f"Did it happen? {action.agent['name']} called {action.tool['name']}",
        previous=action.requests.order_by("created_at").last(),
    )
