from django.urls import path

from notifications.views import PreferencesView, WebhookViewSet

WEBHOOK = "projects/<uuid:project_id>/webhooks/<uuid:wid>/"

urlpatterns = [
    path("notifications/preferences/", PreferencesView.as_view(), name="notification-preferences"),
    path(
        "projects/<uuid:project_id>/webhooks/",
        WebhookViewSet.as_view({"get": "list", "post": "create"}),
        name="project-webhooks",
    ),
    path(WEBHOOK, WebhookViewSet.as_view({"delete": "destroy"}), name="project-webhook"),
    path(
        f"{WEBHOOK}deliveries/",
        WebhookViewSet.as_view({"get": "deliveries"}),
        name="webhook-deliveries",
    ),
    path(
        f"{WEBHOOK}deliveries/<uuid:did>/send-again/",
        WebhookViewSet.as_view({"post": "send_one_again"}),
        name="webhook-send-one-again",
    ),
    *(
        path(
            f"{WEBHOOK}{verb.replace('_', '-')}/",
            WebhookViewSet.as_view({"post": verb}),
            name=f"webhook-{verb.replace('_', '-')}",
        )
        for verb in ("test", "rotate", "enable", "send_again")
    ),
]
