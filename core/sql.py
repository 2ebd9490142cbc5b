"""Rows of models on the hot path: statements written once a process, planned once a connection.

Django's ORM builds and PostgreSQL plans each query anew, which costs more than most of our queries
themselves. Only what runs several times a workflow step belongs here; the rest uses the ORM.
"""

import functools
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.backends.utils import CursorWrapper
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now

M = TypeVar("M", bound=models.Model)


def prepared_cursor() -> CursorWrapper:
    """Django's cursor around one that binds on the server, as prepared statements need it.

    `connection.cursor()` puts values into the text, which PostgreSQL then plans each time. Query
    logs and `execute_wrapper` see both.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    connection.ensure_connection()
    cursor = ServerBindingCursor(connection.connection)
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    return wrap(cursor)


def fetch_rows(
    model: type[M], statement: str, parameters: Sequence[Any], only: tuple[str, ...] = ()
) -> list[M]:
    """Instances from a statement that returns `{columns}`: all, or those in `only`."""
    with prepared_cursor() as cursor:
        cursor.execute(_with_columns(model, statement, only), parameters)
        return [_instance(model, row, only) for row in cursor.fetchall()]


def fetch_row(model: type[M], statement: str, parameters: Sequence[Any]) -> M | None:
    return next(iter(fetch_rows(model, statement, parameters)), None)


def insert_row(instance: models.Model) -> None:
    """INSERT with every field. Expressions other than Now() and database defaults are refused."""
    fields = _inserted_fields(type(instance))
    values = [field.pre_save(instance, add=True) for field in fields]
    sql = tuple(_placeholder(value) for value in values)
    bound = _bound(fields, values, sql)
    with prepared_cursor() as cursor:
        cursor.execute(_insert_statement(type(instance), sql), bound)
        if isinstance(instance._meta.pk, models.AutoField):
            instance.pk = cursor.fetchone()[0]
    instance._state.adding, instance._state.db = False, DEFAULT_DB_ALIAS


def update_row(instance: models.Model, names: Sequence[str]) -> None:
    """UPDATE of the named fields; the same expressions as for `insert_row`."""
    fields = _updated_fields(type(instance), tuple(names))
    values = [field.pre_save(instance, add=False) for field in fields]
    sql = tuple(_placeholder(value) for value in values)
    bound = _bound(fields, values, sql)
    statement = _update_statement(type(instance), tuple(f.column for f in fields), sql)
    with prepared_cursor() as cursor:
        cursor.execute(statement, [*bound, instance.pk])


def _bound(fields: Sequence[models.Field], values: Sequence[Any], sql: Sequence[str]) -> list[Any]:
    """The values that go with the statement, as the database takes them."""
    connection = connections[DEFAULT_DB_ALIAS]
    return [
        field.get_db_prep_save(value, connection)
        for field, value, mark in zip(fields, values, sql, strict=True)
        if mark == "%s"
    ]


def _placeholder(value: Any) -> str:
    if isinstance(value, DatabaseDefault):
        return "DEFAULT"
    if isinstance(value, Now):
        return "STATEMENT_TIMESTAMP()"
    if hasattr(value, "resolve_expression"):
        raise TypeError(f"{value!r} needs the ORM")
    return "%s"


@functools.cache
def _fields(model: type[models.Model], only: tuple[str, ...] = ()) -> tuple[models.Field, ...]:
    fields = model._meta.concrete_fields
    return tuple(field for field in fields if not only or field.attname in only)


@functools.cache
def _inserted_fields(model: type[models.Model]) -> tuple[models.Field, ...]:
    """All but a key that the database numbers."""
    return tuple(f for f in _fields(model) if not isinstance(f, models.AutoField))


@functools.cache
def _updated_fields(model: type[models.Model], names: tuple[str, ...]) -> tuple[models.Field, ...]:
    return tuple(model._meta.get_field(name) for name in names)


@functools.cache
def _with_columns(model: type[models.Model], statement: str, only: tuple[str, ...]) -> str:
    table = model._meta.db_table
    return statement.format(columns=", ".join(f"{table}.{f.column}" for f in _fields(model, only)))


@functools.cache
def _insert_statement(model: type[models.Model], sql: tuple[str, ...]) -> str:
    names = ", ".join(field.column for field in _inserted_fields(model))
    key = model._meta.pk.column
    return f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({', '.join(sql)}) RETURNING {key}"


@functools.cache
def _update_statement(
    model: type[models.Model], columns: tuple[str, ...], sql: tuple[str, ...]
) -> str:
    changes = ", ".join(f"{name} = {mark}" for name, mark in zip(columns, sql, strict=True))
    return f"UPDATE {model._meta.db_table} SET {changes} WHERE {model._meta.pk.column} = %s"


def _instance(model: type[M], row: Sequence[Any], only: tuple[str, ...]) -> M:
    fields = _fields(model, only)
    values = [
        json.loads(value) if isinstance(field, models.JSONField) and value is not None else value
        for field, value in zip(fields, row, strict=True)
    ]
    return model.from_db(DEFAULT_DB_ALIAS, [f.attname for f in fields], values)
