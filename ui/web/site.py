from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path

from ui.web.agent_types import show_agent_type, show_agent_types
from ui.web.floor import show_floor
from ui.web.inbox.inbox import show_inbox
from ui.web.inbox.saved_filters import remove_filter, save_filter
from ui.web.layout import layout_context
from ui.web.login import LoginForm, refuse_password_alone
from ui.web.notifications.outbox import send_notification_again, show_outbox
from ui.web.notifications.preferences import show_preferences
from ui.web.notifications.progressive_app import show_manifest, show_push_worker
from ui.web.profile import show_profile
from ui.web.reauthentication import show_reauthentication
from ui.web.search import show_search
from ui.web.workflows import show_workflow, show_workflows


class AdminSite(admin.AdminSite):
    """Django's admin in our layout, with the inbox as its first page and our own search.

    Every active account may enter. What people find is their projects'; see `ui.web.admin.base`.
    """

    site_title = site_header = "Paraph"
    site_url = None
    # Ours is in the layout.
    enable_nav_sidebar = False
    login_form = LoginForm

    def has_permission(self, request: HttpRequest) -> bool:
        return request.user.is_active

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return super().each_context(request) | layout_context(request)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Of one app only: no page shows the list of all, and each would make it."""
        return super().get_app_list(request, app_label) if app_label else []

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """By name and password, where they are enough."""
        return refuse_password_alone(request, super().login(request, extra_context))

    def index(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return show_inbox(request)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        again = self.admin_view(show_reauthentication)
        floor = self.admin_view(show_floor)
        search = self.admin_view(show_search)
        save, remove = self.admin_view(save_filter), self.admin_view(remove_filter)
        return [
            path("filters/", save, name="inbox_filter_save"),
            path("filters/<int:filter_id>/remove/", remove, name="inbox_filter_remove"),
            path("reauthenticate/", again, name="reauthenticate"),
            path("profile/", self.admin_view(show_profile), name="profile"),
            path("agent-types/", self.admin_view(show_agent_types), name="agent_types"),
            path(
                "agent-types/<slug:agent_type>/",
                self.admin_view(show_agent_type),
                name="agent_type",
            ),
            path("workflows/", self.admin_view(show_workflows), name="workflows"),
            path("workflows/<slug:name>/", self.admin_view(show_workflow), name="workflow"),
            path("installation-floor/", floor, name="installation_floor"),
            path("search/", search, name="search"),
            path(
                "notifications/", self.admin_view(show_preferences), name="notification_preferences"
            ),
            path(
                "notifications/<uuid:notification_id>/send-again/",
                self.admin_view(send_notification_again),
                name="notification_again",
            ),
            # Browsers fetch both without a login.
            path("push-worker.js", show_push_worker, name="push_worker"),
            path("manifest.webmanifest", show_manifest, name="manifest"),
            path("outbox/", self.admin_view(show_outbox), name="outbox"),
            # Nothing has a page outside; the view would only tell which ids there are.
            *(url for url in super().get_urls() if getattr(url, "name", "") != "view_on_site"),
        ]
