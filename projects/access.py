"""Who may see and do what in a project, for every channel."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from audit.actors import Actor
from core import sql
from core.errors import Forbidden, NotFound
from projects.enums import Role
from projects.models import Project

READ = frozenset(Role.values)
DECIDE = frozenset({Role.OWNER, Role.APPROVER})
MANAGE = frozenset({Role.OWNER})


class ProjectAccess:
    """Registered with `audit`, which knows projects only by their ids."""

    @staticmethod
    def visible_project_ids(user: Any) -> QuerySet:
        """Ids of the projects that the user may see, as a subquery."""
        return Project.objects.visible_to(user).values("pk")

    @staticmethod
    def may_see(user: Any, project_id: UUID) -> bool:
        return Project.objects.visible_to(user).filter(pk=project_id).exists()


def role_of(user: Any, project_id: UUID) -> str | None:
    row = sql.fetch_one("member_role", project=project_id, user=user.pk)
    return row[0] if row else None


def get_visible_project(user: Any, project_id: UUID) -> Project:
    """Raises NotFound if there is no such project, or the user may not see it."""
    project = Project.objects.visible_to(user).filter(pk=project_id).first()
    if project is None:
        raise NotFound("not_found", "There is no such project, or you may not see it.")
    return project


def authorize(actor: Actor, project_id: UUID, roles: frozenset[str]) -> None:
    """`require_role` for people; agents and the system follow the product's own rules."""
    if actor.user is not None:
        require_role(actor.user, project_id, roles)


def require_role(user: Any, project_id: UUID, roles: frozenset[str]) -> None:
    """As `check_role`, with the user's role as it is now."""
    check_role(role_of(user, project_id), user, roles)


def check_role(
    role: str | None, user: Any, roles: frozenset[str], *, what: str = "project"
) -> None:
    """Raises NotFound if the user may not see the project, Forbidden if their role is too low.

    A superuser may read and manage, so that a project is never left without anyone who can act on
    it; deciding is for members.
    """
    if role in roles or (user.is_superuser and roles in (READ, MANAGE)):
        return
    if role is None and not user.is_superuser:
        raise NotFound("not_found", f"There is no such {what}, or you may not see it.")
    needed = " or ".join(sorted(roles))
    raise Forbidden(
        "role_too_low" if role else "not_a_member",
        f"This needs the role {needed} in the project; yours is {role or 'none'}.",
    )
