from typing import Any

from django.http import HttpRequest, HttpResponse
from unfold.sites import UnfoldAdminSite

from ui.web.inbox.inbox import show_inbox
from ui.web.search import show_search


class AdminSite(UnfoldAdminSite):
    """The admin in Unfold's theme, with the inbox as its first page and our own search."""

    def index(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return show_inbox(request)

    def search(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return show_search(request)
