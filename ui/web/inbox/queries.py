"""What waits for people: the reads behind the inbox."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, QuerySet
from django.utils.module_loading import import_string

from audit.models import Stream
from hitl.models import HitlRequest
from hitl.selectors import waiting_for_me
from projects.models import Project

Pending = QuerySet[HitlRequest]
# As many subscriptions as one socket takes.
FOLLOWED = 100


def waiting_for(user: Any) -> Pending:
    """Pending requests on which the user may decide."""
    return waiting_for_me(HitlRequest.objects.all(), user)


def in_order(requests: Pending) -> Pending:
    """Whose time runs out first, then who waits longest."""
    ordered = requests.order_by(F("due_at").asc(nulls_last=True), "created_at", "id")
    # What is shown and the brief may be long, and no list shows them.
    return ordered.select_related("project", "claimed_by").defer("subject", "project__brief")


def next_for(user: Any, *, but: UUID | None = None) -> HitlRequest | None:
    """What to decide on next."""
    return in_order(waiting_for(user)).exclude(pk=but).first()


@dataclass(frozen=True)
class Tally:
    """How many wait; by project `(id, name)` and by kind, the most first."""

    total: int
    by_project: list[tuple[tuple[UUID, str], int]]
    by_kind: list[tuple[str, int]]


def tally(requests: Pending) -> Tally:
    """All three in one read, however many wait."""
    counted = requests.order_by().values_list("project", "project__name", "kind")
    projects, kinds = Counter(), Counter()
    for project, name, kind, number in counted.annotate(number=Count("pk")).order_by(
        "project__name", "project", "kind"
    ):
        projects[project, name] += number
        kinds[kind] += number
    return Tally(kinds.total(), projects.most_common(), kinds.most_common())


def blocked_by(requests: Sequence[HitlRequest]) -> dict[UUID, list[str]]:
    """The titles of the steps that cannot start before each request is decided."""
    outlook: Callable[[Sequence[HitlRequest]], dict[UUID, list[str]]] = import_string(
        settings.HITL_OUTLOOK
    )
    return outlook(requests)


def progress_of(project: Project) -> dict[str, Any]:
    """How far the project is, and the state of each of its steps."""
    progress: Callable[[Project], dict[str, Any]] = import_string(settings.HITL_PROGRESS)
    return progress(project)


def heads_of(projects: QuerySet[Project]) -> dict[str, int]:
    """Where each project's stream of events stands, for a page that follows it from there."""
    ids = list(projects.values_list("pk", flat=True)[:FOLLOWED])
    heads = dict(Stream.objects.filter(project__in=ids).values_list("project", "sequence"))
    return {str(pk): heads.get(pk, 0) for pk in ids}


def unfinished_of(user: Any) -> QuerySet[Project]:
    """The projects in which something may still come up, newest first."""
    return Project.objects.visible_to(user).filter(finished_at__isnull=True).order_by("-created_at")
