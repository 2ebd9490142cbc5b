"""A result outlives the connection that was to store it."""

import pytest
from django.db import connection

from agents.enums import AttemptOutcome
from agents.models import Task
from agents.services import claim_task
from agents.worker.run import record_outcome
from core.database import until_database_is_back
from orchestrator.engine.advance import _Advance
from tests.scenes import pending_task, running, work

pytestmark = pytest.mark.django_db(transaction=True)


def end_own_connection() -> None:
    """As a restart of PostgreSQL does it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    other.close()


def test_a_result_is_stored_although_the_connection_broke_while_the_model_worked(project):
    claim = claim_task(task_id=pending_task(running(project)).pk, worker="test:1:1")
    end_own_connection()

    assert record_outcome(claim, work()) == AttemptOutcome.COMPLETED

    assert Task.objects.get(pk=claim.task.pk).status == "waiting_for_hitl"


def test_a_result_is_stored_although_the_connection_broke_while_it_was_stored(project, monkeypatch):
    claim = claim_task(task_id=pending_task(running(project)).pk, worker="test:1:1")
    act, breaks = _Advance.act, iter([end_own_connection])

    def act_without_connection(advance):
        for break_connection in breaks:
            break_connection()
        return act(advance)

    monkeypatch.setattr(_Advance, "act", act_without_connection)

    assert record_outcome(claim, work()) == AttemptOutcome.COMPLETED

    assert Task.objects.get(pk=claim.task.pk).status == "waiting_for_hitl"
    assert [attempt.outcome for attempt in claim.task.attempts.all()] == ["completed"]


def test_what_is_stored_already_is_not_stored_twice(project):
    claim = claim_task(task_id=pending_task(running(project)).pk, worker="test:1:1")
    assert record_outcome(claim, work()) == AttemptOutcome.COMPLETED

    assert record_outcome(claim, work()) is None


def test_an_error_of_ours_is_not_repeated(project):
    tries = []

    def fail() -> None:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM nowhere")

    with pytest.raises(Exception, match="nowhere"):
        until_database_is_back(fail, seconds=5)

    assert len(tries) == 1
