"""Rows that somebody puts into the table of events are not of the log, and stop nothing."""

import pytest
from django.db import connection

from audit.models import Event, Stream
from audit.verification import verify_stream
from ops.invariants import check
from tests.live import write

pytestmark = pytest.mark.django_db

# The last event once more, `beyond` further on, in this epoch or (where it is '') in its own.
FORGE = """
    INSERT INTO event_log (project, epoch, sequence, event_type, event_source, actor, data, salt,
        metadata, created_at, payload_hash, previous_hash, hash)
    SELECT project, coalesce(nullif(%s, ''), epoch), sequence + %s, 'hitl_decision_recorded',
        'user', 'user:1', data, salt, metadata, created_at, payload_hash, hash, payload_hash
    FROM event_log WHERE project = %s ORDER BY sequence DESC LIMIT 1
"""


def forge(project, beyond: int, epoch: str = "") -> int:
    with connection.cursor() as cursor:
        cursor.execute(FORGE, [epoch, beyond, project.pk])
    return Event.rows.latest("pk").pk


@pytest.mark.parametrize(("beyond", "epoch"), [(1, ""), (7, ""), (0, "another"), (1, "another")])
def test_a_forged_row_is_shown_to_nobody_and_no_log_is_valid_with_it(
    project, viewer, client_of, beyond, epoch
):
    head = Stream.objects.get(project=project.pk).sequence
    forged, client = forge(project, beyond, epoch), client_of(viewer)

    listed = client.get("/api/v1/audit/events/", {"project": project.pk}).json()["results"]
    result = client.get("/api/v1/audit/verify/", {"project": project.pk}).json()

    assert [event["sequence"] for event in listed] == [*range(1, head + 1)]
    assert forged not in [event["id"] for event in listed]
    assert client.get(f"/api/v1/audit/events/{forged}/").status_code == 404
    assert (result["valid"], result["beyond_head"]) == (False, 1)
    assert result["first_broken_sequence"] == head + beyond
    assert "chain" in {violation.rule for violation in check()}


def test_work_goes_on_past_it_in_a_new_epoch_and_says_so(project):
    before = Stream.objects.get(project=project.pk)
    forge(project, 1)
    forge(project, 2)

    head = write(project.pk, 2)

    after = Stream.objects.get(project=project.pk)
    said, *rest = Event.objects.filter(project=project.pk, sequence__gt=before.sequence)
    assert after.epoch != before.epoch
    assert head == before.sequence + 3
    assert (said.event_type, said.data["code"]) == ("system_error", "rows_beyond_head")
    assert (said.data["rows"], said.data["first"]) == (2, before.sequence + 1)
    assert {event.epoch for event in rest} == {after.epoch}
    assert verify_stream(project.pk).events == head
    assert verify_stream(project.pk).beyond_head == 2
