"""How a project decides: its own policy, or the defaults of the settings."""

from typing import Any
from uuid import UUID

from django.conf import settings

from hitl.models import Policy
from projects.access import DECIDE
from projects.enums import Role

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


def as_dict(policy: Policy) -> dict[str, Any]:
    """The settings of a policy, by name."""
    return {name: getattr(policy, name) for name in settings.HITL_POLICY}
