"""Rows that are written and read past the ORM are those that the ORM sees."""

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from agents.models import AgentStatus, Task
from core.sql import fetch_row, fetch_rows, insert_row, update_row

pytestmark = pytest.mark.django_db

BY_PROJECT = "SELECT {columns} FROM tasks WHERE project_id = %s ORDER BY created_at"
MOMENT = datetime(2025, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
ODD = {"text": "quotes \"' % %s {columns} \\ \N{PILE OF POO}", "list": [1, None, True, {"a": []}]}


def make(project, **fields) -> Task:
    wanted = {"agent_type": "coder", "instructions": "Do it."} | fields
    task = Task(project=project, **wanted)
    insert_row(task)
    return task


def values(task: Task) -> dict:
    return {field.attname: getattr(task, field.attname) for field in Task._meta.concrete_fields}


def test_an_inserted_row_is_what_the_orm_reads(project):
    made = make(project, handoff=ODD, answers=[ODD], title="100 %", started_at=MOMENT)

    read = Task.objects.get(pk=made.pk)

    assert (read.handoff, read.answers, read.title) == (ODD, [ODD], "100 %")
    assert (read.started_at, read.created_at) == (MOMENT, made.created_at)
    assert read.run_after is not None, "the database's default"
    assert made._state.adding is False


def test_a_fetched_row_is_what_the_orm_reads(project):
    made = make(project, handoff=ODD, result={"n": 1.5}, started_at=MOMENT)

    fetched = fetch_row(Task, BY_PROJECT, [project.pk])

    assert values(fetched) == values(Task.objects.get(pk=made.pk))


def test_rows_come_in_the_order_of_the_statement(project):
    made = [make(project, step=f"s{n}").pk for n in range(3)]

    assert [task.pk for task in fetch_rows(Task, BY_PROJECT, [project.pk])] == made


def test_no_row_is_none(project):
    assert fetch_row(Task, BY_PROJECT, [project.pk]) is None
    assert fetch_rows(Task, BY_PROJECT, [project.pk]) == []


def test_what_was_not_fetched_is_read_when_it_is_asked_for(project, django_assert_num_queries):
    make(project, instructions="Later.")

    (task,) = fetch_rows(Task, BY_PROJECT, [project.pk], ("id", "status"))

    with django_assert_num_queries(0):
        assert task.status == "pending"
    with django_assert_num_queries(1):
        assert task.instructions == "Later."


def test_query_logs_and_wrappers_see_each_statement(project, django_assert_num_queries):
    statements = []

    def note(execute, sql, params, many, context):
        statements.append(sql)
        return execute(sql, params, many, context)

    with django_assert_num_queries(3), connection.execute_wrapper(note):
        task = make(project)
        update_row(task, ["title"])
        fetch_row(Task, BY_PROJECT, [project.pk])

    assert [sql.split()[0] for sql in statements] == ["INSERT", "UPDATE", "SELECT"]


def test_only_the_named_fields_are_updated(project):
    task = make(project, title="Old")
    task.title, task.result, task.instructions = "New", ODD, "Not this."

    update_row(task, ["title", "result"])

    read = Task.objects.get(pk=task.pk)
    assert (read.title, read.result, read.instructions) == ("New", ODD, "Do it.")


def test_now_is_the_databases(project):
    task = make(project)
    task.finished_at = Now()

    update_row(task, ["finished_at"])

    assert Task.objects.filter(finished_at__gte=F("run_after"), finished_at__lt=Now()).exists()


def test_other_expressions_are_refused(project):
    task = make(project)
    task.fence = F("fence") + 1

    with pytest.raises(TypeError):
        update_row(task, ["fence"])


def test_a_key_that_the_database_numbers_is_filled_in(project):
    AgentStatus.objects.filter(project=project).delete()
    row = AgentStatus(project=project, agent_type="coder")

    insert_row(row)

    assert AgentStatus.objects.get(project=project).pk == row.pk


def test_a_broken_rule_is_djangos_error(project):
    make(project, step="build")

    with pytest.raises(IntegrityError), transaction.atomic():
        make(project, step="build")


def test_it_is_part_of_djangos_transaction(project):
    with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012
        make(project)
        raise ZeroDivisionError

    assert not Task.objects.exists()
