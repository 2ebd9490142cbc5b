import django_filters

from projects.enums import OversightLevel, ProjectStatus, Role
from projects.models import Project


class ProjectFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=ProjectStatus.choices)
    oversight_level = django_filters.ChoiceFilter(choices=OversightLevel.choices)
    role = django_filters.ChoiceFilter(choices=Role.choices, label="The caller's role.")
    q = django_filters.CharFilter("name", "icontains", label="Part of the name.")

    class Meta:
        model = Project
        fields: list[str] = []
