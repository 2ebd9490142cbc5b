"""The statements of the hot path, by name: `core/statements.sql` (ADR 44).

They go through Django's connection, so that query logs, wrappers and tracing see them, and as
constant texts, so that PostgreSQL plans each once a connection.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.base import ModelState
from psycopg.types.datetime import TimestamptzLoader

NAMES = ("statements", "rows_against_log", "access_against_log", "work_against_log")
PAGES = [Path(__file__).with_name(f"{name}.sql") for name in NAMES]
# Stands for all columns of a model, or for some; each by its name: a prepared `*` would fail after
# a migration that adds one.
_MODEL = re.compile(r"\{(\w+)\.(?:\*|\(([\w,\s]+)\))\}")
_FRAGMENT = re.compile(r"\{(\w+)\}")


class Part:
    """The columns of one model in a row."""

    def __init__(self, table: str, only: str) -> None:
        models = {model._meta.db_table: model for model in apps.get_models()}
        self.model = models[table]
        wanted = {name.strip() for name in only.split(",")} if only else None
        fields = [f for f in self.model._meta.concrete_fields if not wanted or f.column in wanted]
        self.columns = ", ".join(f"{table}.{field.column}" for field in fields)
        self.names = [field.attname for field in fields]
        self._key = self.names.index(self.model._meta.pk.attname)
        self._converters = [
            (position, convert)
            for position, field in enumerate(fields)
            for convert in field.get_db_converters(connection)
        ]

    def instance(self, values: list, made: dict[Any, models.Model]) -> models.Model | None:
        """As the model's `from_db`, without the signals and defaults that take most of its time.

        `made`: those of the same result by their keys; a row that comes again is the same instance.
        """
        key = values[self._key]
        if key is None or key in made:
            return made.get(key)
        for position, convert in self._converters:
            if values[position] is not None:
                values[position] = convert(values[position], None, connection)
        made[key] = instance = self.model.__new__(self.model)
        instance._state = state = ModelState()
        state.adding, state.db = False, DEFAULT_DB_ALIAS
        instance.__dict__.update(zip(self.names, values, strict=True))
        return instance


class Statement:
    """`SELECT {tasks.*}, {hitl_requests.*}, role ...`: models come first, then plain columns.

    A row is a tuple of instances, None where an outer join found no row, and plain values.
    """

    def __init__(self, template: str) -> None:
        self.parts = [Part(table, only) for table, only in _MODEL.findall(template)]
        parts = iter(self.parts)
        self.text = _MODEL.sub(lambda match: next(parts).columns, template)

    def execute(self, parameters: dict[str, Any]) -> int:
        """How many rows there were."""
        return _sent(self.text, parameters).rowcount

    def rows(self, parameters: dict[str, Any]) -> list[tuple]:
        rows = _sent(self.text, parameters).fetchall()
        if not self.parts:
            return rows
        made: list[dict[Any, models.Model]] = [{} for _ in self.parts]
        return [self._with_instances(row, made) for row in rows]

    def _with_instances(self, row: tuple, made: list[dict[Any, models.Model]]) -> tuple:
        instances: list[Any] = []
        begin = 0
        for part, made_of_part in zip(self.parts, made, strict=True):
            end = begin + len(part.names)
            instances.append(part.instance([*row[begin:end]], made_of_part))
            begin = end
        return (*instances, *row[begin:])


def _sent(text: str, parameters: dict[str, Any]) -> Any:
    """The cursor with its result. The connection keeps one: to make one takes as long as to send.

    What a statement returned has been fetched before the next one is sent. Django's own cursor is
    put around it where somebody logs or wraps statements.
    """
    # Not `connection`, which looks for it each time that something is asked of it.
    database = connections[DEFAULT_DB_ALIAS]
    database.close_if_health_check_failed()
    database.ensure_connection()
    database.validate_thread_sharing()
    raw = database.connection
    if raw.statements_cursor is None:
        with database.wrap_database_errors:
            raw.statements_cursor = database.create_cursor()
            # Django's own is in Python; this one gives the same, as the connection is in UTC.
            raw.statements_cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
    cursor = raw.statements_cursor
    if database.queries_logged:
        cursor = database.make_debug_cursor(cursor)
    elif database.execute_wrappers:
        cursor = database.make_cursor(cursor)
    else:
        database.validate_no_broken_transaction()
    with database.wrap_database_errors:
        cursor.execute(text, parameters)
    return cursor


def execute(name: str, **parameters: Any) -> int:
    """How many rows the statement touched or returned."""
    return _statement(name).execute(parameters)


def fetch_all(name: str, **parameters: Any) -> list[tuple]:
    return _statement(name).rows(parameters)


def fetch_one(name: str, **parameters: Any) -> tuple | None:
    return next(iter(_statement(name).rows(parameters)), None)


def mark_saved(row: models.Model) -> None:
    """Of an instance whose row one of the statements has inserted."""
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def replace(name: str, template: str) -> None:
    """From now on this process runs another statement: to show what would go wrong without it."""
    _texts()[name] = template
    _statement.cache_clear()


def text(name: str) -> str:
    """A fragment, as part of a statement that stands elsewhere."""
    return _with_fragments(_texts()[name])


@cache
def _texts() -> dict[str, str]:
    page = "".join(page.read_text() for page in PAGES)
    parts = re.split(r"^-- name: (\w+)\n", page, flags=re.MULTILINE)
    texts = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {name: re.sub(r"^--.*\n", "", text, flags=re.M).strip() for name, text in texts.items()}


@cache
def _statement(name: str) -> Statement:
    return Statement(text(name))


def _with_fragments(template: str) -> str:
    return _FRAGMENT.sub(lambda match: text(match[1]), template)
