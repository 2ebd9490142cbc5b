"""Filters of lists that refuse what they cannot read."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import django_filters
from django import forms
from django.utils.choices import CallableChoiceIterator
from django_filters.fields import IsoDateTimeField
from django_filters.widgets import BooleanWidget

# PostgreSQL refuses what is further from UTC.
OFFSET_LIMIT = timedelta(hours=16)
BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class RawBooleanWidget(BooleanWidget):
    """Keeps what it cannot read, so that the field can refuse it."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return data.get(name)


class FlagFormField(forms.NullBooleanField):
    widget = RawBooleanWidget

    def to_python(self, value: Any) -> bool | None:
        if value in (None, ""):
            return None
        if str(value).lower() not in BOOLEANS:
            raise forms.ValidationError("Send true or false.", code="invalid")
        return BOOLEANS[str(value).lower()]


class FlagFilter(django_filters.BooleanFilter):
    field_class = FlagFormField


class MomentFormField(IsoDateTimeField):
    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        if moment is not None and abs(moment.utcoffset() or timedelta()) >= OFFSET_LIMIT:
            raise forms.ValidationError("No time zone is so far from UTC.", code="invalid")
        return moment


class MomentFilter(django_filters.IsoDateTimeFilter):
    field_class = MomentFormField


class KindFilter(django_filters.ChoiceFilter):
    """One of the registered kinds; `choices` is a function, asked whenever the filter is used."""

    def __init__(
        self, *arguments: Any, choices: Callable[[], list[tuple[str, str]]], **options: Any
    ) -> None:
        super().__init__(*arguments, choices=CallableChoiceIterator(choices), **options)
