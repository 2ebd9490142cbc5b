"""Reads each project's stream from notifications' own cursor, and writes down what is to be sent.

At least once and in order: what is to be sent and the cursor's move commit together. Nobody waits
for it, and it holds no lock that a change of a project needs.
"""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import connection, transaction

from audit.installation import INSTALLATION
from audit.models import Event, Stream
from notifications.models import Cursor
from projects.models import Project

PROJECTS_MAX, EVENTS_MAX = 500, 500

# Those that waited longest first. A stream that went back, as by a restore, is one of them.
BEHIND = """
    SELECT stream.project FROM event_streams AS stream
    LEFT JOIN notification_cursors AS mark ON mark.project = stream.project
    WHERE stream.sequence <> coalesce(mark.sequence, 0) AND stream.project <> %s
    ORDER BY mark.updated_at NULLS FIRST LIMIT %s
"""
OPEN = """
    INSERT INTO notification_cursors (project, sequence, updated_at)
    VALUES (%s, 0, clock_timestamp()) ON CONFLICT (project) DO NOTHING
"""

#: Given a project and events of it, in order, writes down what of them is to be sent to whom.
Reader = Callable[[Project, Sequence[Event]], None]
#: Which types of events a reader wants of the project; None: all.
Interest = Callable[[Project], set[str] | None]

_readers: list[tuple[Interest, Reader]] = []


def register_reader(interest: Interest, reader: Reader) -> None:
    _readers.append((interest, reader))


def read_logs(seconds: float = 5) -> int:
    """Go on with every stream that has something new; how many events were looked at."""
    with connection.cursor() as cursor:
        cursor.execute(BEHIND, [INSTALLATION, PROJECTS_MAX])
        behind = [row[0] for row in cursor.fetchall()]
    deadline, events = time.monotonic() + seconds, 0
    for project_id in behind:
        events += read_log(project_id)
        if time.monotonic() > deadline:
            break
    return events


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
        interests = [interest(project) for interest, _ in _readers]
        if None not in interests:
            log = log.filter(event_type__in=set().union(*interests))
        events = list(log.order_by("sequence")[:EVENTS_MAX])
        if events:
            for _, reader in _readers:
                reader(project, events)
    mark.sequence = events[-1].sequence if len(events) == EVENTS_MAX else head
    mark.save(update_fields=["sequence", "updated_at"])
    return len(events)
