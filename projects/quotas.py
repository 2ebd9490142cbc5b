"""How much one person may have here at once, so that nobody takes everything."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Count, Q

from core.errors import Conflict
from projects.enums import ProjectStatus
from projects.models import Project

# More than that many transactions of one person do not run at the same moment.
CLOSE = 100


def check_project_quotas(project: Project) -> None:
    """Within the transaction that has created or started it. Raises Conflict `quota_exceeded`.

    A project counts for who created it, whoever starts it.
    """
    person, most = project.created_by, settings.PROJECTS_PER_USER
    running = settings.RUNNING_PROJECTS_PER_USER if project.status == ProjectStatus.ACTIVE else 0
    if not (most or running):
        return
    counts = Project.objects.filter(created_by=person).aggregate(
        projects=Count("pk", filter=Q(erased_at=None)),
        running=Count("pk", filter=Q(status=ProjectStatus.ACTIVE)),
    )
    name = person.get_username()
    check_quota(
        person,
        most,
        counts["projects"],
        lambda: Project.objects.filter(created_by=person, erased_at=None).count(),
        f"{name} has {most:,} projects, which is as many as a person may have here. "
        "Erase one that is over, or ask an operator to raise PROJECTS_PER_USER.",
    )
    check_quota(
        person,
        running,
        counts["running"],
        lambda: Project.objects.filter(created_by=person, status=ProjectStatus.ACTIVE).count(),
        f"{name} has {running:,} running projects, which is as many as a person may have here. "
        "Pause, finish or cancel one, or ask an operator to raise RUNNING_PROJECTS_PER_USER. "
        "A new one can be created without starting it.",
    )


def check_quota(
    person: Any, limit: int, count: int, count_again: Callable[[], int], detail: str
) -> None:
    """`count` includes the new one; a limit of 0 is none. Raises Conflict `quota_exceeded`."""
    if not limit or count <= limit - CLOSE:
        return
    # Near the limit, what is asked for at the same time waits here, and then counts this one.
    get_user_model().objects.select_for_update(no_key=True).get(pk=person.pk)
    if count_again() > limit:
        raise Conflict("quota_exceeded", detail, limit=limit)
