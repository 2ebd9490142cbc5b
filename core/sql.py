"""Instances of models from named SQL, where a benchmark shows what it buys (ADR 43)."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import models

M = TypeVar("M", bound=models.Model)


def fetch_rows(
    model: type[M], statement: str, parameters: Sequence[Any], only: tuple[str, ...] = ()
) -> list[M]:
    """Instances from a statement that returns `{columns}`: all, or those in `only`.

    Each column by its name: a prepared `*` would fail after a migration that adds one.
    """
    table = model._meta.db_table
    fields = [f for f in model._meta.concrete_fields if not only or f.attname in only]
    columns = ", ".join(f"{table}.{field.column}" for field in fields)
    return list(model.objects.raw(statement.format(columns=columns), parameters))


def fetch_row(model: type[M], statement: str, parameters: Sequence[Any]) -> M | None:
    return next(iter(fetch_rows(model, statement, parameters)), None)
