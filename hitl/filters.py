from typing import Any

import django_filters
from django.db.models import QuerySet

from agents.enums import RequestKind
from core.filters import FlagFilter, KindFilter
from hitl.enums import RequestStatus
from hitl.models import HitlRequest
from hitl.selectors import overdue, waiting_for_me
from projects.agent_types import agent_type_choices
from projects.enums import Phase


class RequestFilter(django_filters.FilterSet):
    project = django_filters.UUIDFilter()
    task = django_filters.UUIDFilter()
    agent_action = django_filters.UUIDFilter()
    status = django_filters.ChoiceFilter(choices=RequestStatus.choices)
    kind = django_filters.ChoiceFilter(choices=RequestKind.choices)
    phase = django_filters.ChoiceFilter(choices=Phase.choices)
    agent_type = KindFilter(choices=agent_type_choices)
    mine = FlagFilter(method="filter_mine", label="Pending, and the caller may decide.")
    overdue = FlagFilter(
        method="filter_overdue", label="Pending, and its time to be done by has passed."
    )

    class Meta:
        model = HitlRequest
        fields: list[str] = []

    def filter_mine(self, queryset: QuerySet, name: str, value: Any) -> QuerySet:
        mine = waiting_for_me(queryset, self.request.user)
        return mine if value else queryset.exclude(pk__in=mine.values("pk"))

    def filter_overdue(self, queryset: QuerySet, name: str, value: Any) -> QuerySet:
        late = overdue(queryset)
        return late if value else queryset.exclude(pk__in=late.values("pk"))
