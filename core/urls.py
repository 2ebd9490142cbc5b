from django.urls import path

from core.views import TokenView

urlpatterns = [path("token/", TokenView.as_view(), name="auth-token")]
