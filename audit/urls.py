from django.urls import include, path
from rest_framework.routers import SimpleRouter

from audit.stream.sse import event_stream
from audit.views import EventViewSet, InstallationViewSet, TicketView, VerifyView

router = SimpleRouter()
router.register("events", EventViewSet, basename="audit-event")

urlpatterns = [
    path("", include(router.urls)),
    path("installation/", InstallationViewSet.as_view({"get": "list"}), name="audit-installation"),
    path("verify/", VerifyView.as_view(), name="audit-verify"),
]
# Paths of the stream that belong beside those of others, directly under /api/v1/.
stream_urls = [
    path("auth/ws-ticket/", TicketView.as_view(), name="ws-ticket"),
    path("projects/<uuid:project_id>/stream/", event_stream, name="project-stream"),
]
