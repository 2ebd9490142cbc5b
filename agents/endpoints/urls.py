from django.urls import path

from agents.endpoints.views import ModelEndpointViewSet

PREFIX = "projects/<uuid:project_id>/model-endpoints/"
ONE = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    path(
        PREFIX,
        ModelEndpointViewSet.as_view({"get": "list", "post": "create"}),
        name="model-endpoints",
    ),
    path(f"{PREFIX}<slug:name>/", ModelEndpointViewSet.as_view(ONE), name="model-endpoint"),
    path(
        f"{PREFIX}<slug:name>/test/",
        ModelEndpointViewSet.as_view({"post": "test"}, detail=True),
        name="model-endpoint-test",
    ),
]
