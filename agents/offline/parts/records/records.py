"""Kinds of record, and the checks that every value has to pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation


class Problem(Exception):
    """Something that the person at the keyboard can put right."""


@dataclass(frozen=True)
class Field:
    """One field of a kind of record."""

    name: str
    kind: str = "text"
    required: bool = False
    unique: bool = False
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    refers_to: str = ""

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")

    def read(self, text: str) -> str:
        """The value as it is stored. Raises Problem."""
        text = text.strip()
        if self.required and not text:
            raise Problem(f"{self.option} must not be empty")
        if not text:
            return ""
        if self.choices and text.lower() not in self.choices:
            raise Problem(f"{self.option} must be one of: {', '.join(self.choices)}")
        if self.kind == "date":
            return self._date(text)
        if self.kind in ("integer", "decimal", "reference"):
            return self._number(text)
        if self.kind == "boolean":
            return self._yes_or_no(text)
        return text.lower() if self.choices else text

    def _date(self, text: str) -> str:
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise Problem(f"{self.option} must be a date such as 2024-05-31") from None

    def _number(self, text: str) -> str:
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise Problem(f"{self.option} must be a number") from None
        if not number.is_finite() or (self.kind != "decimal" and number != int(number)):
            raise Problem(f"{self.option} must be a whole number")
        if self.minimum is not None and number < self.minimum:
            raise Problem(f"{self.option} must be at least {self.minimum}")
        if self.maximum is not None and number > self.maximum:
            raise Problem(f"{self.option} must be at most {self.maximum}")
        return str(int(number)) if self.kind != "decimal" else str(number)

    def _yes_or_no(self, text: str) -> str:
        if text.lower() in ("yes", "y", "true", "1"):
            return "yes"
        if text.lower() in ("no", "n", "false", "0"):
            return "no"
        raise Problem(f"{self.option} must be yes or no")


@dataclass(frozen=True)
class Entity:
    """A kind of record. `most` limits how many there may be."""

    name: str
    plural: str
    fields: tuple[Field, ...]
    actions: tuple[str, ...] = ("add", "list", "show")
    most: int | None = None

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)

    def label(self, row: dict) -> str:
        """A record in a few words: its number and its first field."""
        return f"{self.name} {row['id']} ({row.get(self.fields[0].name, '')})"
