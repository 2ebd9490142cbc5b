from django.urls import path
from rest_framework.routers import SimpleRouter

from context.views import ArtifactTypesView, ArtifactViewSet

router = SimpleRouter(use_regex_path=False)
router.register("artifacts", ArtifactViewSet, basename="artifact")

urlpatterns = [
    *router.urls,
    path("artifact-types/", ArtifactTypesView.as_view(), name="artifact-types"),
]
