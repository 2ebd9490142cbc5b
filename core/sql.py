"""Instances of models from named SQL, where a benchmark shows what it buys; the rest uses the ORM.

ADR 38 has the measurements. Django's cursor runs it, so query logs and wrappers see it.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import connection, models
from django.db.backends.utils import CursorWrapper

M = TypeVar("M", bound=models.Model)


def fetch_rows(
    model: type[M], statement: str, parameters: Sequence[Any], only: tuple[str, ...] = ()
) -> list[M]:
    """Instances from a statement that returns `{columns}`: all, or those in `only`."""
    table = model._meta.db_table
    fields = [f for f in model._meta.concrete_fields if not only or f.attname in only]
    columns = ", ".join(f"{table}.{field.column}" for field in fields)
    return list(model.objects.raw(statement.format(columns=columns), parameters))


def fetch_row(model: type[M], statement: str, parameters: Sequence[Any]) -> M | None:
    return next(iter(fetch_rows(model, statement, parameters)), None)


def prepared_cursor() -> CursorWrapper:
    return connection.cursor()


def insert_row(instance: models.Model) -> None:
    instance.save(force_insert=True)


def update_row(instance: models.Model, names: Sequence[str]) -> None:
    instance.save(update_fields=names)
