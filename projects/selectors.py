"""Reads that span projects and who may see them."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Left

from core.text import is_storable
from projects.models import Membership, Project

EXCERPT_LENGTH = 200


def projects_for(user: Any) -> QuerySet[Project]:
    """What the user may see, each with the user's `role` in it; newest first."""
    role = Membership.objects.filter(project=OuterRef("pk"), user=user).values("role")[:1]
    return (
        Project.objects.visible_to(user)
        .select_related("created_by")
        .annotate(role=Subquery(role))
        .order_by("-created_at", "-id")
    )


def project_list_for(user: Any) -> QuerySet[Project]:
    """As `projects_for`, with the beginning of each brief instead of all of it."""
    return projects_for(user).defer("brief").annotate(brief_excerpt=Left("brief", EXCERPT_LENGTH))


def find_user(name: Any) -> Any:
    """A user by id (a number) or by username (text); None where there is none."""
    if isinstance(name, bool) or not isinstance(name, int | str) or not is_storable(str(name)):
        return None
    column = "pk" if isinstance(name, int) else "username"
    if column == "pk" and not 0 < name < 2**31:
        return None
    return get_user_model().objects.filter(**{column: name}).first()
