"""Who decides on what, how soon after they first saw it, and how long projects take."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import (
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    Subquery,
)

from hitl.models import Decision, HitlRequest, Reading
from hitl.statistics import TIMES, Spans
from projects.enums import ProjectStatus
from projects.models import Project

# Nobody reads a plan or a program in less.
QUICK = timedelta(seconds=10)


def decisions_by_person(user: Any, project_id: UUID | None, covered: Spans) -> list[dict[str, Any]]:
    """One row for a person and a kind, over what the user may see; times are durations.

    `quick`: how many were approved within `QUICK` of first being shown. Decisions past the pages
    (REST, terminal) have no such time, and count as `not_timed`.
    """
    decisions = Decision.objects.filter(
        created_at__gte=covered.since,
        created_at__lt=covered.end,
        request__in=_visible(user, project_id),
    ).order_by()
    readings = Reading.objects.filter(
        request=OuterRef("request"),
        user=OuterRef("decided_by"),
        subject_digest=OuterRef("subject_digest"),
    )
    took = ExpressionWrapper(F("created_at") - F("shown_at"), output_field=DurationField())
    timed = decisions.annotate(shown_at=Subquery(readings.values("shown_at")[:1]))
    rows = timed.annotate(took=took).values(
        person=F("decided_by__username"), kind=F("request__kind")
    )
    rows = rows.annotate(
        decisions=Count("pk"),
        approved=Count("pk", filter=Q(action="approve")),
        quick=Count("pk", filter=Q(action="approve", took__lt=QUICK)),
        not_timed=Count("pk", filter=Q(took=None)),
        **TIMES,
    )
    return list(rows.order_by("person", "kind"))


def waiting_times(user: Any, project_id: UUID | None, covered: Spans) -> dict[str, Any]:
    """Of requests that were resolved in the period: from being opened to that, as durations."""
    resolved = _visible(user, project_id).filter(
        resolved_at__gte=covered.since, resolved_at__lt=covered.end
    )
    took = ExpressionWrapper(F("resolved_at") - F("created_at"), output_field=DurationField())
    return resolved.annotate(took=took).aggregate(count=Count("pk"), **TIMES)


def lead_times(user: Any, project_id: UUID | None, covered: Spans) -> dict[str, Any]:
    """Of projects that were completed in the period: from their start to that, as durations."""
    projects = Project.objects.visible_to(user).filter(
        status=ProjectStatus.COMPLETED,
        finished_at__gte=covered.since,
        finished_at__lt=covered.end,
        started_at__isnull=False,
    )
    if project_id is not None:
        projects = projects.filter(pk=project_id)
    took = ExpressionWrapper(F("finished_at") - F("started_at"), output_field=DurationField())
    return projects.order_by().annotate(took=took).aggregate(count=Count("pk"), **TIMES)


def _visible(user: Any, project_id: UUID | None) -> Any:
    requests = HitlRequest.objects.visible_to(user).order_by()
    return requests if project_id is None else requests.filter(project=project_id)
