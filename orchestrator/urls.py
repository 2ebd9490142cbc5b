from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView

from audit.stream.asyncapi import asyncapi_document
from audit.urls import stream_urls
from hitl.agent_actions.views import jwks
from hitl.views import (
    ConfirmView,
    DeclineView,
    DelegationViewSet,
    PolicyView,
    ProposalListView,
)
from notifications import slack_requests
from ops.health import views as health
from ops.metrics.views import metrics
from orchestrator.views import (
    DocumentView,
    EraseView,
    ExportView,
    ImportView,
    OriginView,
    ProgressView,
    RewindView,
    RootView,
    SnapshotView,
)
from orchestrator.workflows_api import WorkflowViewSet
from semantic.views import SearchView
from ui.web.invitation import show_invitation
from ui.web.login import ApiLoginView
from ui.web.pages import DocsPage

project_urls = [
    path("rewind/", RewindView.as_view(), name="project-rewind"),
    path("progress/", ProgressView.as_view(), name="project-progress"),
    path("snapshot/", SnapshotView.as_view(), name="project-snapshot"),
    path("policy/", PolicyView.as_view(), name="project-policy"),
    path("policy/proposals/", ProposalListView.as_view(), name="project-proposals"),
    path(
        "policy/proposals/<uuid:proposal_id>/confirm/",
        ConfirmView.as_view(),
        name="project-proposal-confirm",
    ),
    path(
        "policy/proposals/<uuid:proposal_id>/decline/",
        DeclineView.as_view(),
        name="project-proposal-decline",
    ),
    path(
        "delegations/",
        DelegationViewSet.as_view({"get": "list", "post": "create"}),
        name="project-delegations",
    ),
    path(
        "delegations/<uuid:pk>/",
        DelegationViewSet.as_view({"delete": "destroy"}),
        name="project-delegation",
    ),
    path("export/", ExportView.as_view(), name="project-export"),
    path("document/", DocumentView.as_view(), name="project-document"),
    path("erase/", EraseView.as_view(), name="project-erase"),
    path("origin/", OriginView.as_view(), name="project-origin"),
]
api_urls = [
    path("", RootView.as_view(), name="api-root"),
    path("auth/", include("accounts.urls")),
    path("search/", SearchView.as_view(), name="search"),
    path(
        "workflows/", WorkflowViewSet.as_view({"get": "list", "post": "create"}), name="workflows"
    ),
    path("workflows/<slug:name>/", WorkflowViewSet.as_view({"get": "retrieve"}), name="workflow"),
    path("projects/import/", ImportView.as_view(), name="project-import"),
    path("", include("projects.urls")),
    path("projects/<uuid:project_id>/", include(project_urls)),
    path("", include("agents.urls")),
    path("", include("context.urls")),
    path("hitl/", include("hitl.urls")),
    path("", include("hitl.agent_actions.urls")),
    path("", include("notifications.urls")),
    path("audit/", include("audit.urls")),
    path("", include(stream_urls)),
]
# Named as the browsable pages expect them.
login_urls = [
    path("login/", ApiLoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
]
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("accounts/", include("ui.web.account_urls")),
    path("invitation/", show_invitation, name="invitation"),
    path("api/", RedirectView.as_view(pattern_name="api-root")),
    path("api/v1/", include(api_urls)),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/asyncapi.yaml", asyncapi_document, name="asyncapi"),
    path("api/docs/", DocsPage.as_view(url_name="schema"), name="docs"),
    path("slack/", slack_requests.receive, name="slack"),
    path(".well-known/paraph/jwks.json", jwks, name="jwks"),
    path("api/login/", include((login_urls, "rest_framework"))),
    re_path(r"^health/?$", health.basic, name="health"),
    re_path(r"^health/live/?$", health.basic, name="health-live"),
    re_path(r"^health/ready/?$", health.ready, name="health-ready"),
    re_path(r"^health/detailed/?$", health.detailed, name="health-detailed"),
    re_path(r"^health/z/?$", health.summary, name="health-z"),
    re_path(r"^metrics/?$", metrics, name="metrics"),
]

handler400 = "orchestrator.errors.bad_request"
handler403 = "orchestrator.errors.forbidden"
handler404 = "orchestrator.errors.not_found"
handler500 = "orchestrator.errors.server_error"
