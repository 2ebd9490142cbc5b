"""What other tables say, held against the log that said it.

The apps that own the tables register their statements (`core/rows_against_log.sql`), and what
cannot be compared in the database.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from audit.archives import archived_payloads
from audit.events import EVENTS_ARCHIVED
from audit.models import Event
from core import sql
from core.database import consistent_snapshot


class RowProblem(NamedTuple):
    """`row`: which one of the project, as people read it."""

    project: UUID
    row: str
    problem: str

    def __str__(self) -> str:
        return f"{self.row}: {self.problem}"


@dataclass
class RowVerification:
    """`problems`: the first of each kind; `differing` counts all."""

    checked: int = 0
    differing: int = 0
    problems: list[RowProblem] = field(default_factory=list)


# Of each kind; somebody reads them.
MOST = 20
#: Of a project, or all: its problems.
Check = Callable[[UUID | None], Iterator[RowProblem]]
_statements: list[str] = []
_checks: list[Check] = []


def register_rows(*statements: str) -> None:
    _statements.extend(name for name in statements if name not in _statements)


def register_check(check: Check) -> None:
    """For what needs more than SQL, as a hash over canonical JSON does."""
    if check not in _checks:
        _checks.append(check)


def verify_rows(project_id: UUID | None = None) -> RowVerification:
    """Of one project, the installation, or all, as of one moment."""
    found = RowVerification()
    with consistent_snapshot():
        _compare(found, project_id, archived_payloads(project_id) if project_id else {})
        if project_id is None:
            # What was archived is known by its files, one project after the other.
            archived = Event.objects.filter(event_type=EVENTS_ARCHIVED).values_list("project")
            for (project,) in archived.distinct().order_by("project"):
                _compare(found, project, archived_payloads(project))
        for check in _checks:
            problems = [*check(project_id)]
            found.differing += len(problems)
            found.problems += problems[:MOST]
    return found


def _compare(found: RowVerification, project_id: UUID | None, archived: dict[int, Any]) -> None:
    payloads = [{"sequence": number, "data": data} for number, data in archived.items()]
    parameters = {"project": project_id, "archived": json.dumps(payloads)}
    with connection.cursor() as cursor:
        for name in _statements:
            text = f"{sql.text('summary_of_rows')} FROM ({sql.text(name)}) AS compared"
            cursor.execute(text, parameters)
            checked, differing, rows = cursor.fetchone()
            found.checked += checked
            found.differing += differing
            found.problems += [RowProblem(UUID(row[0]), *row[1:]) for row in rows or ()]
