"""How a project decides: its own policy, or the defaults of the settings."""

from itertools import product
from typing import Any
from uuid import UUID

from django.conf import settings

from agents.enums import RequestKind
from hitl.models import Policy
from projects.access import DECIDE
from projects.enums import Phase, Role
from projects.floor import Floor

GROUPS = ("roles_by_kind", "roles_by_phase")
TIMES = ("remind_after", "due_after", "expire_after")


def policy_of(project_id: UUID) -> Policy:
    """The policy that holds; not saved where the project has none of its own."""
    return Policy.objects.filter(pk=project_id).first() or default_policy(project_id)


def default_policy(project_id: UUID) -> Policy:
    """That of the settings, not saved."""
    return Policy(project_id=project_id, **settings.HITL_POLICY)


def roles_for(policy: Policy, kind: str, phase: str) -> list[str] | None:
    """The roles that may decide on such a request; None for every role that can decide.

    Where the policy names roles for both kind and phase, both must allow it; where that leaves
    nobody, the owner decides.
    """
    by_kind, by_phase = policy.roles_by_kind.get(kind), policy.roles_by_phase.get(phase)
    restrictions = [set(roles) for roles in (by_kind, by_phase) if roles]
    if not restrictions:
        return None
    roles = set(DECIDE).intersection(*restrictions)
    return None if roles == DECIDE else sorted(str(role) for role in roles or {Role.OWNER})


def loosened(old: Policy, new: Policy) -> list[str]:
    """What of the new policy lets fewer people, or other people than before, let work go on."""
    names = []
    for name in ("prevent_self_approval", "answers_count_as_content"):
        if getattr(old, name) and not getattr(new, name):
            names.append(name)
    if new.required_approvals < old.required_approvals:
        names.append("required_approvals")
    for name in ("reauthenticate", "ask_before_tools"):
        if not set(getattr(old, name)) <= set(getattr(new, name)):
            names.append(name)
    for kind, phase in product(RequestKind.values, ("", *Phase.values)):
        before = set(roles_for(old, kind, phase) or DECIDE)
        if not set(roles_for(new, kind, phase) or DECIDE) <= before:
            names += [name for name in GROUPS if getattr(old, name) != getattr(new, name)]
            break
    return names


def with_floor(policy: Policy, floor: Floor) -> Policy:
    """The policy as it holds: for display, and for requests that are opened. Not to be saved."""
    policy.floor = floor
    policy.prevent_self_approval |= floor.prevent_self_approval
    return policy


def as_dict(policy: Policy) -> dict[str, Any]:
    """The settings of a policy, by name."""
    return {name: getattr(policy, name) for name in settings.HITL_POLICY}
