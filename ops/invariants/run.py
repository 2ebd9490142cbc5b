from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from audit.models import Event, Stream
from core.database import consistent_snapshot
from ops.invariants.client_histories import check_histories
from ops.invariants.rows import check_project, check_settled
from ops.invariants.violation import Violation
from projects.models import Project


def check(
    *,
    project_ids: set[UUID] | None = None,
    histories: Path | None = None,
    is_settled: bool = False,
) -> Iterator[Violation]:
    """Everything that does not hold: in these projects, or in all.

    `is_settled`: also hold it against a while without a fault and without anybody deciding.
    """
    projects = Project.objects.order_by("created_at")
    if project_ids is not None:
        projects = projects.filter(pk__in=project_ids)
    found = [*projects.values_list("pk", flat=True)]
    for project_id in found:
        yield from _check_one(project_id, is_settled)
    if project_ids is None:
        yield from _check_orphans()
    if histories is not None:
        yield from check_histories(histories, {str(pk) for pk in project_ids or found})


def _check_one(project_id: UUID, is_settled: bool) -> list[Violation]:
    """As of one moment: work that goes on meanwhile must not look like a contradiction."""
    with consistent_snapshot():
        project = Project.objects.get(pk=project_id)
        settled = check_settled(project) if is_settled else ()
        return [*check_project(project), *settled]


def _check_orphans() -> Iterator[Violation]:
    """History outlives what it describes, but here nothing that it describes is ever deleted."""
    streams = Stream.objects.exclude(project__in=Project.objects.values("pk"))
    for project in streams.values_list("project", flat=True):
        yield Violation("rows_equal_fold", f"project {project}", "it has a log and no row")
    events = Event.objects.exclude(project__in=Stream.objects.values("project"))
    for project in events.values_list("project", flat=True).distinct().order_by("project"):
        yield Violation("chain", str(project), "events without a stream")
