"""Fields that convert nothing: a number is not text, and `"no"` is not a boolean."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.utils.functional import cached_property
from rest_framework import serializers

from core.text import is_storable

MAX_DEPTH = 64


class TextField(serializers.CharField):
    """Text as it was sent; no column can hold null characters and lone surrogates."""

    default_error_messages = {"invalid": "Send text (a JSON string)."}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    default_error_messages = {"invalid": "Send true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class NumberField(serializers.IntegerField):
    """A whole number that fits the database's integers."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_value", 2**31 - 1)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class IdField(serializers.UUIDField):
    """An id as text: a number is refused, though a UUID could be made of it."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class KindField(serializers.ChoiceField):
    """One of the registered kinds; `choices` is a function, asked when the field is first used.

    Not when a module declares it: some kinds are rows, and a command starts without the database.
    """

    def __init__(self, choices: Callable[[], list[tuple[str, str]]], **kwargs: Any) -> None:
        super().__init__(choices, **kwargs)

    @property
    def choices(self) -> dict[str, str]:
        return self.grouped_choices

    @choices.setter
    def choices(self, choices: Callable[[], list[tuple[str, str]]]) -> None:
        self._ask = choices

    @cached_property
    def grouped_choices(self) -> dict[str, str]:
        return dict(self._ask())

    @cached_property
    def choice_strings_to_values(self) -> dict[str, str]:
        return {name: name for name in self.choices}


class ContentField(serializers.JSONField):
    """Any JSON that can be stored."""

    default_error_messages = {
        "binary": "Holds a null character or a lone surrogate; send plain Unicode text.",
        "too_deep": f"Nested deeper than {MAX_DEPTH} levels.",
    }

    def to_internal_value(self, data: Any) -> Any:
        self._check(data, 0)
        return super().to_internal_value(data)

    def _check(self, value: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            self.fail("too_deep")
        if isinstance(value, str):
            self._check_text(value)
        elif isinstance(value, dict):
            for key, part in value.items():
                self._check_text(key)
                self._check(part, depth + 1)
        elif isinstance(value, list):
            for part in value:
                self._check(part, depth + 1)

    def _check_text(self, text: str) -> None:
        if not is_storable(text):
            self.fail("binary")
