from django.urls import include, path
from rest_framework.routers import SimpleRouter

from agents.stops.views import EmergencyStopViewSet
from agents.types_api import AgentTypeViewSet
from agents.usage.views import UsageTableView, UsageView
from agents.views import AgentHistoryViewSet, AgentViewSet, TaskViewSet

router = SimpleRouter(use_regex_path=False)
router.register("tasks", TaskViewSet, basename="task")
router.register("agents", AgentViewSet, basename="agent")
router.register("emergency-stop", EmergencyStopViewSet, basename="emergency-stop")

urlpatterns = [
    path("", include(router.urls)),
    path("", include("agents.work.urls")),
    path("", include("agents.endpoints.urls")),
    path("projects/<uuid:project_id>/usage/", UsageView.as_view(), name="project-usage"),
    path(
        "projects/<uuid:project_id>/usage/csv/",
        UsageTableView.as_view(),
        name="project-usage-csv",
    ),
    path(
        "agent-types/",
        AgentTypeViewSet.as_view({"get": "list", "post": "create"}),
        name="agent-types",
    ),
    path(
        "agent-types/<slug:agent_type>/",
        AgentTypeViewSet.as_view(
            {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
        ),
        name="agent-type",
    ),
    path(
        "agents/<slug:agent_type>/history/",
        AgentHistoryViewSet.as_view({"get": "list"}),
        name="agent-history",
    ),
]
