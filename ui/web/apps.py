from django.apps import AppConfig
from django.contrib.admin import apps


class WebConfig(AppConfig):
    """The pages: admin, static files and templates."""

    name = "ui.web"
    default = True


class AdminConfig(apps.AdminConfig):
    """Django's admin, with our site in place of its own."""

    default_site = "ui.web.site.AdminSite"
    default = False
