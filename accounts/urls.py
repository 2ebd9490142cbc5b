from django.urls import include, path
from rest_framework.routers import SimpleRouter

from accounts.views import LoginView, TokenViewSet

router = SimpleRouter(use_regex_path=False)
router.register("tokens", TokenViewSet, basename="token")

urlpatterns = [
    path("token/", LoginView.as_view(), name="auth-token"),
    path("", include(router.urls)),
]
