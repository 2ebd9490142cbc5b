from django.urls import include, path
from rest_framework.routers import SimpleRouter

from hitl.agent_actions.views import ActionViewSet, CredentialViewSet, StandingApprovalViewSet

router = SimpleRouter(use_regex_path=False)
router.register("actions", ActionViewSet, basename="action")

urlpatterns = [
    path("", include(router.urls)),
    path(
        "projects/<uuid:project_id>/actions/",
        ActionViewSet.as_view({"get": "list", "post": "ask"}),
        name="project-actions",
    ),
    path(
        "projects/<uuid:project_id>/credentials/",
        CredentialViewSet.as_view({"get": "list", "post": "create"}),
        name="project-credentials",
    ),
    path(
        "projects/<uuid:project_id>/credentials/<uuid:cid>/",
        CredentialViewSet.as_view({"delete": "destroy"}),
        name="project-credential",
    ),
    path(
        "projects/<uuid:project_id>/standing-approvals/",
        StandingApprovalViewSet.as_view({"get": "list"}),
        name="project-standing-approvals",
    ),
    path(
        "projects/<uuid:project_id>/standing-approvals/<uuid:rule>/",
        StandingApprovalViewSet.as_view({"delete": "destroy"}),
        name="project-standing-approval",
    ),
]
