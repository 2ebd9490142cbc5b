from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.enums import RequestKind
from audit.actors import Actor
from core.errors import InvalidInput
from hitl.enums import OnTimeout
from hitl.events import POLICY_CHANGED
from hitl.models import APPROVALS_MAX, Policy
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
        check_policy(policy)
        policy.updated_at = timezone.now()
        policy.save()
        fields = {name: {"old": old[name], "new": new} for name, new in changes.items()}
        tx.record(POLICY_CHANGED, changed=sorted(changes), fields=fields)
    return policy


def check_policy(policy: Policy) -> None:
    """Raises InvalidInput, which names the field."""
    if not 1 <= policy.required_approvals <= APPROVALS_MAX:
        detail = f"Ask for 1 to {APPROVALS_MAX} approvals."
        raise InvalidInput.of("required_approvals", "out_of_range", detail)
    if policy.on_timeout not in OnTimeout.values:
        detail = f"Use one of {', '.join(OnTimeout.values)}."
        raise InvalidInput.of("on_timeout", "invalid_choice", detail)
    # Times in the order in which they come, without those that are never.
    before = 0
    for name in TIMES:
        seconds = getattr(policy, name)
        if seconds is None:
            continue
        if not 1 <= seconds <= SECONDS_MAX:
            detail = f"Seconds from 1 to {SECONDS_MAX:,}, or null for never."
            raise InvalidInput.of(name, "out_of_range", detail)
        if seconds < before:
            detail = "Keep the order: remind_after, then due_after, then expire_after."
            raise InvalidInput.of(name, "out_of_order", detail)
        before = seconds
    for name, keys in KEYS.items():
        for key, roles in getattr(policy, name).items():
            if key not in keys:
                detail = f"Use one of {', '.join(keys)}."
                raise InvalidInput.of(f"{name}.{key}", "invalid_choice", detail)
            if not roles or not set(roles) <= DECIDE:
                detail = f"Name at least one of {', '.join(sorted(DECIDE))}; viewers can't decide."
                raise InvalidInput.of(f"{name}.{key}", "invalid_choice", detail)
