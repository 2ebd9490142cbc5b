from django.apps import AppConfig


class WebConfig(AppConfig):
    """The pages: admin, static files and templates."""

    name = "ui.web"
