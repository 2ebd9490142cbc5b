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
    own = Policy.objects.filter(pk=project_id).first()
    return own or Policy(project_id=project_id, **settings.HITL_POLICY)


def roles_for(policy: Policy, kind: str, phase: str) -> list[str] | None:
    """Who may decide on such a request; None: all that decide at all.

    Where kind and phase both say something, both must allow it; what no role is left for goes to
    the owner.
    """
    said = [policy.roles_by_kind.get(kind), policy.roles_by_phase.get(phase)]
    named = [set(roles) for roles in said if roles]
    if not named:
        return None
    left = set(DECIDE).intersection(*named)
    return None if left == DECIDE else sorted(str(role) for role in left or {Role.OWNER})


def as_dict(policy: Policy) -> dict[str, Any]:
    """What can be set, by name."""
    return {name: getattr(policy, name) for name in settings.HITL_POLICY}
