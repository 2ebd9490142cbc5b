"""Reads the movements of an account from the bank's CSV file."""

import csv
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

COLUMNS = ("date", "description", "category", "amount")
DAYS = ("%d.%m.%Y", "%Y-%m-%d")
# 1.234,50 or 1234,50; 1,234.50 or 1234.50
DECIMAL_COMMA = re.compile(r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d{1,2})?")
DECIMAL_POINT = re.compile(r"[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d{1,2})?")


class Mistake(Exception):
    """Something the user can put right; the text says what."""


@dataclass(frozen=True)
class Movement:
    day: date
    description: str
    category: str
    amount: Decimal

    @property
    def month(self):
        return f"{self.day:%Y-%m}"


def read_movements(path):
    """(movements, rows left out as (line, reason), how many rows were there twice)"""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            text = file.read()
    except FileNotFoundError:
        raise Mistake(f"There is no file {path}. Check the name and the folder.") from None
    except (OSError, UnicodeDecodeError):
        raise Mistake(f"{path} cannot be read as text. Export it from the bank again.") from None
    head = text.partition("\n")[0]
    separator = ";" if head.count(";") >= head.count(",") else ","
    reader = csv.DictReader(text.splitlines(), delimiter=separator)
    names = {name.strip().lower(): name for name in reader.fieldnames or []}
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise Mistake(f"{path} has no column {', '.join(missing)}. It needs: {', '.join(COLUMNS)}.")
    movements, left_out, doubles = {}, [], 0
    for row in reader:
        try:
            movement = _movement({key: (row[names[key]] or "").strip() for key in COLUMNS})
        except ValueError as problem:
            left_out.append((reader.line_num, str(problem)))
            continue
        doubles += movement in movements
        movements[movement] = True
    return list(movements), left_out, doubles


def _movement(row):
    return Movement(
        _day(row["date"]), row["description"], row["category"] or "(none)", _amount(row["amount"])
    )


def _day(text):
    for form in DAYS:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    raise ValueError(f"the date {text!r} is neither like 31.05.2024 nor like 2024-05-31")


def _amount(text):
    if not text:
        raise ValueError("the amount is missing")
    if DECIMAL_POINT.fullmatch(text) and not re.fullmatch(r"[+-]?\d{1,3}\.\d{3}", text):
        return Decimal(text.replace(",", ""))
    if DECIMAL_COMMA.fullmatch(text):
        return Decimal(text.replace(".", "").replace(",", "."))
    raise ValueError(f"the amount {text!r} is no number")
