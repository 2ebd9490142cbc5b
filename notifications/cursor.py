"""Reads each project's stream from notifications' own cursor, and writes down what is to be sent.

At least once and in order: what is to be sent and the cursor's move commit together. Nobody waits
for it, and it holds no lock that a change of a project needs.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from uuid import UUID

from django.db import connection, transaction

from audit.installation import INSTALLATION
from audit.models import Event, Stream
from notifications.models import Cursor
from projects.models import Project

PROJECTS_MAX, EVENTS_MAX = 500, 500

# Those that waited longest first. A stream that went back, as by a restore, is one of them.
BEHIND = """
    SELECT stream.project, stream.sequence FROM event_streams AS stream
    LEFT JOIN notification_cursors AS mark ON mark.project = stream.project
    WHERE stream.sequence <> coalesce(mark.sequence, 0) AND stream.project <> %s
    ORDER BY mark.updated_at NULLS FIRST LIMIT %s
"""
OPEN = """
    INSERT INTO notification_cursors (project, sequence, updated_at)
    VALUES (%s, 0, clock_timestamp()) ON CONFLICT (project) DO NOTHING
"""
# All that is new in these projects, up to this head of each, is of types that nobody wants.
SKIP = """
    INSERT INTO notification_cursors (project, sequence, updated_at)
    SELECT new.project, new.head, clock_timestamp()
    FROM unnest(%(projects)s::uuid[], %(heads)s::bigint[]) AS new (project, head)
    LEFT JOIN notification_cursors AS mark ON mark.project = new.project
    WHERE new.head > coalesce(mark.sequence, 0) AND NOT EXISTS (
        SELECT FROM event_log AS event
        WHERE event.project = new.project AND event.sequence > coalesce(mark.sequence, 0)
          AND event.sequence <= new.head AND event.event_type = ANY(%(types)s::text[]))
    ORDER BY new.project
    ON CONFLICT (project) DO UPDATE
    SET sequence = EXCLUDED.sequence, updated_at = EXCLUDED.updated_at
    WHERE notification_cursors.sequence < EXCLUDED.sequence
    RETURNING project
"""

#: Given a project and events of it, in order, writes down what of them is to be sent to whom.
Reader = Callable[[Project, Sequence[Event]], None]
#: Which types of events a reader wants of each of these projects; None: all. Left out: none.
Interest = Callable[[Collection[UUID]], Mapping[UUID, set[str] | None]]

_readers: list[tuple[Interest, Reader]] = []


def register_reader(interest: Interest, reader: Reader) -> None:
    _readers.append((interest, reader))


def read_logs(seconds: float = 5) -> int:
    """Go on with every stream that has something new; how many events were looked at."""
    with connection.cursor() as cursor:
        cursor.execute(BEHIND, [INSTALLATION, PROJECTS_MAX])
        behind = dict(cursor.fetchall())
    deadline, events = time.monotonic() + seconds, 0
    skipped = skip(behind)
    for project_id in behind:
        if project_id in skipped:
            continue
        events += read_log(project_id)
        if time.monotonic() > deadline:
            break
    return events


def wanted_in(projects: Collection[UUID]) -> dict[UUID, set[str] | None]:
    """By any reader."""
    wanted: dict[UUID, set[str] | None] = {project: set() for project in projects}
    for interest, _ in _readers:
        for project, types in interest(projects).items():
            known = wanted[project]
            wanted[project] = None if types is None or known is None else known | types
    return wanted


def skip(heads: Mapping[UUID, int]) -> set[UUID]:
    """Go on to these heads where nothing new is of interest, in all projects at once.

    The heads first, then what is wanted: who is there by then wants all that comes after.
    """
    types: set[str] = set()
    choosy = []
    for project, wanted in wanted_in(heads.keys()).items():
        if wanted is not None:
            choosy.append(project)
            types |= wanted
    parameters = {
        "projects": choosy,
        "heads": [heads[project] for project in choosy],
        "types": sorted(types),
    }
    with connection.cursor() as cursor:
        cursor.execute(SKIP, parameters)
        return {row[0] for row in cursor.fetchall()}


@transaction.atomic
def read_log(project_id: UUID) -> int:
    """Up to EVENTS_MAX events further; 0 also where another process is at it."""
    with connection.cursor() as cursor:
        cursor.execute(OPEN, [project_id])
    cursors = Cursor.objects.select_for_update(skip_locked=True)
    mark = cursors.filter(project=project_id).first()
    # The head first: all up to it is there to be read.
    head = Stream.objects.filter(project=project_id).values_list("sequence", flat=True).first()
    if mark is None or head is None or mark.sequence == head:
        return 0
    project = Project.objects.filter(pk=project_id, erased_at=None).first()
    events: list[Event] = []
    if project is not None and mark.sequence < head:
        log = Event.objects.filter(
            project=project_id, sequence__gt=mark.sequence, sequence__lte=head
        )
        wanted = wanted_in([project_id])[project_id]
        if wanted is not None:
            log = log.filter(event_type__in=wanted)
        events = list(log.order_by("sequence")[:EVENTS_MAX])
        if events:
            for _, reader in _readers:
                reader(project, events)
    mark.sequence = events[-1].sequence if len(events) == EVENTS_MAX else head
    mark.save(update_fields=["sequence", "updated_at"])
    return len(events)
