from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from audit.stream.sse import event_stream
from audit.views import (
    CheckpointViewSet,
    ConsistencyView,
    EventViewSet,
    InstallationViewSet,
    LatestCheckpointView,
    TicketView,
    VerifyView,
)

router = SimpleRouter()
router.register("events", EventViewSet, basename="audit-event")
router.register("checkpoints", CheckpointViewSet, basename="audit-checkpoint")

urlpatterns = [
    path("", include(router.urls)),
    path("installation/", InstallationViewSet.as_view({"get": "list"}), name="audit-installation"),
    re_path(
        "^checkpoints/latest/?$", LatestCheckpointView.as_view(), name="audit-checkpoint-latest"
    ),
    path("consistency/", ConsistencyView.as_view(), name="audit-consistency"),
    path("verify/", VerifyView.as_view(), name="audit-verify"),
]
# Paths of the stream that belong beside those of others, directly under /api/v1/.
stream_urls = [
    path("auth/ws-ticket/", TicketView.as_view(), name="ws-ticket"),
    path("projects/<uuid:project_id>/stream/", event_stream, name="project-stream"),
]
