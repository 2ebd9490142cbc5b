import uuid

import pytest
from django.db import DatabaseError, connection, transaction

from audit.models import Event, Stream
from tests.live import write

pytestmark = pytest.mark.django_db


@pytest.fixture
def head() -> Stream:
    project_id = uuid.uuid4()
    write(project_id, 2)
    return Stream.objects.get(project=project_id)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event_log SET data = '{}'",
        "DELETE FROM event_log",
        "TRUNCATE event_log",
        "DELETE FROM event_streams",
        "TRUNCATE event_streams",
        "UPDATE event_streams SET sequence = sequence - 1",
        "UPDATE event_streams SET project = gen_random_uuid()",
    ],
)
def test_the_database_refuses_to_change_history(head, statement):
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)

    assert Event.objects.filter(project=head.project).count() == 2


def test_a_restored_backup_may_take_a_new_epoch(head):
    Stream.objects.filter(project=head.project).update(epoch="restored")

    assert Stream.objects.get(project=head.project).epoch == "restored"
