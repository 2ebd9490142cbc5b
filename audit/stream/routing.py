from django.urls import path, re_path

from audit.stream.consumers import ProjectConsumer, StreamConsumer, UnknownPath

websocket_urlpatterns = [
    path("ws/", StreamConsumer.as_asgi()),
    path("ws/projects/<uuid:project_id>/", ProjectConsumer.as_asgi()),
    re_path("", UnknownPath.as_asgi()),
]
