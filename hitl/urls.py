from django.urls import include, path
from rest_framework.routers import SimpleRouter

from hitl.views import RequestViewSet, StatisticsView

router = SimpleRouter(use_regex_path=False)
router.register("requests", RequestViewSet, basename="hitl-request")

urlpatterns = [
    path("", include(router.urls)),
    path("statistics/", StatisticsView.as_view(), name="hitl-statistics"),
]
