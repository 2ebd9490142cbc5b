import django_filters

from agents.enums import AgentState, TaskStatus
from agents.models import AgentStatus, EmergencyStop, Task
from core.filters import FlagFilter, KindFilter
from projects.agent_types import agent_type_choices
from projects.enums import Phase


class TaskFilter(django_filters.FilterSet):
    project = django_filters.UUIDFilter()
    status = django_filters.ChoiceFilter(choices=TaskStatus.choices)
    agent_type = KindFilter(choices=agent_type_choices)
    phase = django_filters.ChoiceFilter(choices=Phase.choices)
    step = django_filters.CharFilter()
    is_current = FlagFilter(label="False: dropped by a rewind.")

    class Meta:
        model = Task
        fields: list[str] = []


class AgentFilter(django_filters.FilterSet):
    project = django_filters.UUIDFilter()
    agent_type = KindFilter(choices=agent_type_choices)
    status = django_filters.ChoiceFilter(choices=AgentState.choices)

    class Meta:
        model = AgentStatus
        fields: list[str] = []


class StopFilter(django_filters.FilterSet):
    project = django_filters.UUIDFilter()
    agent_type = KindFilter(choices=agent_type_choices)
    is_active = FlagFilter(
        field_name="released_at", lookup_expr="isnull", label="Whether it stands."
    )

    class Meta:
        model = EmergencyStop
        fields: list[str] = []
