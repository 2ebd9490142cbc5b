from typing import Any
from uuid import UUID

from django.utils import timezone

from audit.actors import Actor
from core.errors import InvalidInput
from hitl.enums import OnTimeout, RequestKind
from hitl.events import POLICY_CHANGED
from hitl.models import Policy
from hitl.models.policies import APPROVALS_MAX
from hitl.policy import TIMES, as_dict, policy_of
from projects.access import DECIDE, MANAGE
from projects.enums import Phase
from projects.transaction import ProjectTransaction

SECONDS_MAX = 10 * 365 * 24 * 3600
KEYS = {"roles_by_kind": RequestKind.values, "roles_by_phase": Phase.values}


def change_policy(*, project_id: UUID, actor: Actor, **changes: Any) -> Policy:
    """How requests that are opened from now on are decided.

    Raises NotFound, Forbidden, InvalidInput.
    """
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        policy = policy_of(project_id)
        old = as_dict(policy)
        changes = {name: new for name, new in changes.items() if old[name] != new}
        if not changes:
            return policy
        for name, new in changes.items():
            setattr(policy, name, new)
        _check(policy)
        policy.updated_at = timezone.now()
        policy.save()
        fields = {name: {"old": old[name], "new": new} for name, new in changes.items()}
        tx.record(POLICY_CHANGED, changed=sorted(changes), fields=fields)
    return policy


def _check(policy: Policy) -> None:
    if not 1 <= policy.required_approvals <= APPROVALS_MAX:
        detail = f"Ask for 1 to {APPROVALS_MAX} approvals."
        raise InvalidInput.of("required_approvals", "out_of_range", detail)
    if policy.on_timeout not in OnTimeout.values:
        detail = f"Use one of {', '.join(OnTimeout.values)}."
        raise InvalidInput.of("on_timeout", "invalid_choice", detail)
    _check_times(policy)
    for name, known in KEYS.items():
        _check_roles(name, getattr(policy, name), known)


def _check_times(policy: Policy) -> None:
    """In the order in which they come; what is left out is left out."""
    before = 0
    for name in TIMES:
        seconds = getattr(policy, name)
        if seconds is None:
            continue
        if not 1 <= seconds <= SECONDS_MAX:
            detail = f"Seconds from 1 to {SECONDS_MAX:,}, or null for never."
            raise InvalidInput.of(name, "out_of_range", detail)
        if seconds < before:
            detail = "Not before the one before it: remind_after, due_after, expire_after."
            raise InvalidInput.of(name, "out_of_order", detail)
        before = seconds


def _check_roles(name: str, roles: Any, known: list[str]) -> None:
    for key, named in roles.items():
        if key not in known:
            detail = f"There is no such key. Use some of {', '.join(known)}."
            raise InvalidInput.of(f"{name}.{key}", "invalid_choice", detail)
        if not named or not set(named) <= DECIDE:
            detail = f"Name at least one of {', '.join(sorted(DECIDE))}; a viewer never decides."
            raise InvalidInput.of(f"{name}.{key}", "invalid_choice", detail)
