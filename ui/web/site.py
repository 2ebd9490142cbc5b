from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path
from unfold.sites import UnfoldAdminSite

from ui.web.floor import show_floor
from ui.web.inbox.inbox import show_inbox
from ui.web.reauthentication import show_reauthentication
from ui.web.search import show_search


class AdminSite(UnfoldAdminSite):
    """The admin in Unfold's theme, with the inbox as its first page and our own search."""

    def index(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return show_inbox(request)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        again = self.admin_view(show_reauthentication)
        floor = self.admin_view(show_floor)
        return [
            path("reauthenticate/", again, name="reauthenticate"),
            path("installation-floor/", floor, name="installation_floor"),
            *super().get_urls(),
        ]

    def search(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return show_search(request)
