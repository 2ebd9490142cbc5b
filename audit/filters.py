from typing import Any

import django_filters
from django import forms
from drf_spectacular.utils import extend_schema_field

from audit.enums import EventSource
from audit.event_types import event_type_choices
from audit.models import Event
from core.filters import KindFilter, MomentFilter

BIGGEST_SEQUENCE = 2**63 - 1
LONGEST_WAIT_SECONDS = 60


class IntegerFilter(django_filters.Filter):
    field_class = forms.IntegerField


@extend_schema_field(int)
class WaitFilter(IntegerFilter):
    """Checked here, kept in `audit.stream.sse`: before the request gets to a view."""

    def filter(self, queryset: Any, value: Any) -> Any:
        return queryset


class InstallationFilter(django_filters.FilterSet):
    """Of one stream, which is no project's."""

    event_type = KindFilter(choices=event_type_choices)
    event_source = django_filters.ChoiceFilter(choices=EventSource)
    created_after = MomentFilter("created_at", "gte", label="At or after.")
    created_before = MomentFilter("created_at", "lt", label="Before.")
    after_sequence = IntegerFilter(
        "sequence", "gt", min_value=0, max_value=BIGGEST_SEQUENCE, label="Beyond this sequence."
    )

    class Meta:
        model = Event
        fields: list[str] = []


class EventFilter(InstallationFilter):
    project = django_filters.UUIDFilter()
    task = django_filters.UUIDFilter()
    hitl_request = django_filters.UUIDFilter()
    wait = WaitFilter(
        min_value=0,
        max_value=LONGEST_WAIT_SECONDS,
        label="With `project` and `after_sequence`: wait up to so many seconds for an event.",
    )

    class Meta:
        model = Event
        fields: list[str] = []
