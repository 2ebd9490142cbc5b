from typing import Any

import django_filters
from django.db.models import QuerySet

from context.artifact_types import artifact_type_choices
from context.enums import Granularity
from context.models import Artifact
from context.search import scope_of
from context.selectors import search_artifacts
from context.staleness import staleness_of
from core.errors import InvalidInput
from core.filters import FlagFilter, KindFilter
from projects.agent_types import agent_type_choices


class ArtifactFilter(django_filters.FilterSet):
    project = django_filters.UUIDFilter()
    artifact_type = KindFilter(choices=artifact_type_choices)
    source_agent = KindFilter(choices=agent_type_choices)
    granularity = django_filters.ChoiceFilter(choices=Granularity.choices)
    task = django_filters.UUIDFilter()
    stale = FlagFilter(
        method="is_stale", label="Made from something that is newer by now; needs `project`."
    )
    q = django_filters.CharFilter(
        method="search", label="Words in title, step or content, in any form."
    )

    class Meta:
        model = Artifact
        fields: list[str] = []

    def is_stale(self, queryset: QuerySet, name: str, value: bool) -> QuerySet:
        project = self.form.cleaned_data.get("project")
        if project is None:
            raise InvalidInput.of("project", "required", "Name the project in which to look.")
        stale = staleness_of(queryset.filter(project=project).values_list("pk", flat=True))
        return queryset.filter(pk__in=stale) if value else queryset.exclude(pk__in=stale)

    def search(self, queryset: QuerySet, name: str, value: Any) -> QuerySet:
        project = self.form.cleaned_data.get("project")
        return search_artifacts(queryset, value, scope_of(self.request.user, project))
