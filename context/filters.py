from typing import Any

import django_filters
from django.db.models import QuerySet

from context.models import Artifact
from context.search import scope_of
from context.selectors import search_artifacts
from context.words import ArtifactType, Granularity
from projects.words import AgentType


class ArtifactFilter(django_filters.FilterSet):
    project = django_filters.UUIDFilter()
    artifact_type = django_filters.ChoiceFilter(choices=ArtifactType.choices)
    source_agent = django_filters.ChoiceFilter(choices=AgentType.choices)
    granularity = django_filters.ChoiceFilter(choices=Granularity.choices)
    task = django_filters.UUIDFilter()
    q = django_filters.CharFilter(
        method="search", label="Words in title, step or content, in any form."
    )

    class Meta:
        model = Artifact
        fields: list[str] = []

    def search(self, queryset: QuerySet, name: str, value: Any) -> QuerySet:
        project = self.form.cleaned_data.get("project")
        return search_artifacts(queryset, value, scope_of(self.request.user, project))
