from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from audit.installation import INSTALLATION
from audit.models import Event, Stream
from core.database import consistent_snapshot
from ops.invariants.histories import check_histories
from ops.invariants.rows import Violation, check_project, check_settled
from projects.models import Project


def check(
    *,
    project_ids: set[UUID] | None = None,
    histories: Path | None = None,
    is_settled: bool = False,
) -> Iterator[Violation]:
    """Everything that does not hold: in these projects, or in all.

    `is_settled`: also that nothing is under way, after a while without faults and decisions.
    """
    projects = Project.objects.order_by("created_at")
    if project_ids is not None:
        projects = projects.filter(pk__in=project_ids)
    checked_ids = [*projects.values_list("pk", flat=True)]
    for project_id in checked_ids:
        # As of one moment: work that goes on meanwhile must not look like a contradiction.
        with consistent_snapshot():
            project = Project.objects.get(pk=project_id)
            violations = [*check_project(project)]
            if is_settled:
                violations += check_settled(project)
        yield from violations
    if project_ids is None:
        yield from check_orphans()
    if histories is not None:
        yield from check_histories(histories, {str(pk) for pk in project_ids or checked_ids})


def check_orphans() -> Iterator[Violation]:
    """History may outlive what it describes, but the product never deletes a project."""
    streams = Stream.objects.exclude(project__in=Project.objects.values("pk"))
    streams = streams.exclude(project=INSTALLATION)
    for project in streams.values_list("project", flat=True):
        yield Violation("rows_equal_fold", f"project {project}", "it has a log and no row")
    events = Event.rows.exclude(project__in=Stream.objects.values("project"))
    for project in events.values_list("project", flat=True).distinct().order_by("project"):
        yield Violation("chain", str(project), "events without a stream")
