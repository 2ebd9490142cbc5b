from django.urls import include, path
from rest_framework.routers import SimpleRouter

from audit.views import EventViewSet, VerifyView

router = SimpleRouter()
router.register("events", EventViewSet, basename="audit-event")

urlpatterns = [
    path("", include(router.urls)),
    path("verify/", VerifyView.as_view(), name="audit-verify"),
]
