"""Read a CSV file and check every row of it."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from .settings import COLUMNS, DROP_DUPLICATES, IGNORE_CASE


class Problem(Exception):
    """Something that the person at the keyboard can put right."""


@dataclass(frozen=True)
class Row:
    """A good row: values by column, numbers as Decimal, dates as date."""

    line: int
    values: dict


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Table:
    rows: list[Row]
    bad: list[BadRow]
    duplicates: int = 0


def read(path: Path) -> Table:
    """All rows of a file, the good apart from the bad. Raises Problem."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _read(file)
    except FileNotFoundError:
        raise Problem(f"there is no file {path}") from None
    except (OSError, UnicodeError, csv.Error) as error:
        raise Problem(f"cannot read {path}: {error}") from None


def _read(file) -> Table:
    first = file.readline()
    separator = max(",;\t", key=first.count)
    file.seek(0)
    reader = csv.DictReader(file, delimiter=separator)
    names = {_key(name): name for name in reader.fieldnames or [] if name}
    if missing := [name for name, _ in COLUMNS if name not in names]:
        raise Problem(f"the file has no column {', '.join(missing)}")
    rows, bad, seen, duplicates = [], [], set(), 0
    for number, texts in enumerate(reader, start=2):
        row = _row(number, {key: texts[name] for key, name in names.items()})
        key = (
            tuple(sorted((k, str(v)) for k, v in row.values.items()))
            if isinstance(row, Row)
            else ()
        )
        if DROP_DUPLICATES and key and key in seen:
            duplicates += 1
            continue
        seen.add(key)
        (rows if isinstance(row, Row) else bad).append(row)
    return Table(rows, bad, duplicates)


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_")


def _row(line: int, texts: dict) -> Row | BadRow:
    values = {name: " ".join((text or "").split()) for name, text in texts.items()}
    for name, kind in COLUMNS:
        try:
            values[name] = value(kind, values[name])
        except ValueError as error:
            return BadRow(line, f"{name}: {error}")
    return Row(line, values)


def value(kind: str, text: str):
    """The value that a text stands for. Raises ValueError."""
    if kind == "text":
        return text.lower() if IGNORE_CASE else text
    if not text:
        raise ValueError("is missing")
    return _date(text) if kind == "date" else _number(text)


def _date(text: str) -> date:
    for pattern in ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, pattern).date()
        except ValueError:
            continue
    raise ValueError(f"{text} is no date such as 2024-05-31 or 31.05.2024")


def _number(text: str) -> Decimal:
    plain = text.replace(" ", "")
    if "," in plain and plain.rfind(",") > plain.rfind("."):
        plain = plain.replace(".", "").replace(",", ".")
    try:
        number = Decimal(plain.replace(",", ""))
    except InvalidOperation:
        raise ValueError(f"{text} is no number") from None
    if not number.is_finite():
        raise ValueError(f"{text} is no number")
    return number
