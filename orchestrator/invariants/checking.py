from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from orchestrator.invariants.heard import check_histories
from orchestrator.invariants.stored import check_project, check_settled
from orchestrator.invariants.violation import Violation
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
    names = {str(pk) for pk in project_ids or projects.values_list("pk", flat=True)}
    for project in projects.iterator(200):
        yield from check_project(project)
        if is_settled:
            yield from check_settled(project)
    if histories is not None:
        yield from check_histories(histories, names)
