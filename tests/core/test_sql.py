"""The statements of the hot path: their instances are those that the ORM reads."""

from datetime import UTC, datetime

import pytest
from django.db import DataError, connection, transaction
from django.db.transaction import TransactionManagementError

from agents.models import Task
from audit.actors import Actor
from context.services import create_artifact
from core import sql
from tests.scenes import running

pytestmark = pytest.mark.django_db

MOMENT = datetime(2025, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
ODD = {"text": "quotes \"' % %s {columns} \\ \N{PILE OF POO}", "list": [1, None, True, {"a": []}]}


def make(project, **fields) -> Task:
    defaults = {"agent_type": "coder", "instructions": "Do it."}
    return Task.objects.create(project=project, **defaults | fields)


def values(row) -> dict:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def test_a_fetched_row_is_what_the_orm_reads(project):
    task = make(project, handoff=ODD, result={"n": 1.5}, started_at=MOMENT)

    run, fetched, request, *others = sql.fetch_one("load_run", project=project.pk)

    assert values(fetched) == values(Task.objects.get(pk=task.pk))
    # No run, request, stop, floor or pinned brief is there.
    assert (run, request, *others) == (None, None, None, None, None)


def test_a_row_each(project):
    ids = {make(project, step=f"s{n}").pk for n in range(3)}

    rows = sql.fetch_all("load_run", project=project.pk)

    assert {task.pk for _, task, *_ in rows} == ids


def test_a_row_that_comes_again_is_the_same_instance(project):
    running(project)
    make(project, step="another")

    first, second = sql.fetch_all("load_run", project=project.pk)

    assert first[0] is second[0]
    assert first[1] != second[1]


def test_no_row_is_none(project):
    task = make(project)

    assert sql.fetch_one("may_call", task=task.pk, fence=5) is None
    assert sql.fetch_all("may_call", task=task.pk, fence=5) == []
    assert sql.execute("lock_claimed", task=task.pk, fence=5) == 0


def test_what_was_not_fetched_is_read_when_it_is_asked_for(project, django_assert_num_queries):
    running(project)
    run = sql.fetch_one("load_run", project=project.pk)[0]

    with django_assert_num_queries(0):
        assert run.workflow == project.workflow
    with django_assert_num_queries(1):
        assert run.definition["steps"]


def test_query_logs_and_wrappers_see_it(project, django_assert_num_queries):
    statements = []

    def note(execute, statement, params, many, context):
        statements.append(statement)
        return execute(statement, params, many, context)

    with django_assert_num_queries(1), connection.execute_wrapper(note):
        sql.fetch_one("load_run", project=project.pk)

    assert len(statements) == 1


def test_errors_are_those_of_django(project):
    with pytest.raises(DataError), transaction.atomic():
        sql.fetch_one("member_role", project="no id", user=1)

    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            sql.fetch_one("member_role", project=project.pk, user=1)


def test_versions_are_not_planned_anew_each_time(project):
    for number in range(8):
        create_artifact(
            actor=Actor.of_user(project.created_by),
            project_id=project.pk,
            artifact_type="user_input",
            title="Notes",
            content={"text": f"Note {number}"},
        )

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(generic_plans) > 0 FROM pg_prepared_statements "
            "WHERE statement LIKE '%INSERT INTO context_artifact_versions%'"
        )
        assert cursor.fetchone() == (True,)


def test_statements_are_prepared(project):
    """For the ORM and for named SQL: from the third time on PostgreSQL has the plan."""
    for _ in range(4):
        sql.fetch_one("member_role", project=project.pk, user=1)
        Task.objects.filter(project=project.pk).count()

    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        prepared = [statement for (statement,) in cursor.fetchall()]
    assert any("project_members" in statement for statement in prepared)
    assert any("COUNT(*)" in statement for statement in prepared)
