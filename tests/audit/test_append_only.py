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


STATEMENTS = [
    "UPDATE event_log SET data = '{}'",
    "DELETE FROM event_log",
    "TRUNCATE event_log",
    "DELETE FROM event_streams",
    "TRUNCATE event_streams",
    "UPDATE event_streams SET sequence = sequence - 1",
    "UPDATE event_streams SET project = gen_random_uuid()",
]


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.administrator
def test_the_database_refuses_to_change_history(head, statement):
    """Even to the owner of the tables, who has to switch a trigger off first."""
    refuses(statement, "append-only")

    assert Event.objects.filter(project=head.project).count() == 2


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_application_may_not_even_try(head, statement):
    refuses(statement, "permission denied|append-only")


def refuses(statement: str, why: str) -> None:
    with (
        pytest.raises(DatabaseError, match=why),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_a_restored_backup_may_take_a_new_epoch(head):
    Stream.objects.filter(project=head.project).update(epoch="restored")

    assert Stream.objects.get(project=head.project).epoch == "restored"
