"""Instances from named SQL are those that the ORM reads."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from agents.models import Task
from core.sql import fetch_row, fetch_rows

pytestmark = pytest.mark.django_db

BY_PROJECT = "SELECT {columns} FROM tasks WHERE project_id = %s ORDER BY created_at"
MOMENT = datetime(2025, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
ODD = {"text": "quotes \"' % %s {columns} \\ \N{PILE OF POO}", "list": [1, None, True, {"a": []}]}


def make(project, **fields) -> Task:
    defaults = {"agent_type": "coder", "instructions": "Do it."}
    return Task.objects.create(project=project, **defaults | fields)


def values(task: Task) -> dict:
    return {field.attname: getattr(task, field.attname) for field in Task._meta.concrete_fields}


def test_a_fetched_row_is_what_the_orm_reads(project):
    task = make(project, handoff=ODD, result={"n": 1.5}, started_at=MOMENT)

    fetched = fetch_row(Task, BY_PROJECT, [project.pk])

    assert values(fetched) == values(Task.objects.get(pk=task.pk))


def test_rows_come_in_the_order_of_the_statement(project):
    ids = [make(project, step=f"s{n}").pk for n in range(3)]

    assert [task.pk for task in fetch_rows(Task, BY_PROJECT, [project.pk])] == ids


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


def test_query_logs_and_wrappers_see_it(project, django_assert_num_queries):
    statements = []

    def note(execute, sql, params, many, context):
        statements.append(sql)
        return execute(sql, params, many, context)

    with django_assert_num_queries(1), connection.execute_wrapper(note):
        fetch_row(Task, BY_PROJECT, [project.pk])

    assert len(statements) == 1


def test_statements_are_prepared(project):
    """For the ORM and for named SQL: from the third time on PostgreSQL has the plan."""
    for _ in range(4):
        fetch_row(Task, BY_PROJECT, [project.pk])
        Task.objects.filter(project=project.pk).count()

    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        prepared = [statement for (statement,) in cursor.fetchall()]
    assert any("ORDER BY created_at" in statement for statement in prepared)
    assert any("COUNT(*)" in statement for statement in prepared)
