from rest_framework.routers import SimpleRouter

from context.views import ArtifactViewSet

router = SimpleRouter(use_regex_path=False)
router.register("artifacts", ArtifactViewSet, basename="artifact")

urlpatterns = router.urls
