from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.middleware import common

from core.database import is_database_away
from orchestrator.errors import database_away


class CommonMiddleware(common.CommonMiddleware):
    """A path without its slash is sent on by 308, which keeps method and body, unlike 301."""

    @staticmethod
    def response_redirect_class(path: str) -> HttpResponsePermanentRedirect:
        return HttpResponsePermanentRedirect(path, preserve_request=True)

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        return None if is_probe(request.path) else super().process_request(request)


def is_probe(path: str) -> bool:
    """Asked by address, or by the name of a container, which is in no ALLOWED_HOSTS.

    These pages make no links of the name. Without a token metrics are for this machine only: then
    the name is checked, lest a page in its browser reads them under a name of its own.
    """
    probed = ("health", "metrics") if settings.METRICS_TOKEN else ("health",)
    return path.split("/")[1] in probed


class DatabaseAwayMiddleware:
    """Without its database a view fails: 503, and come back soon, in place of 500."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return database_away(request, error) if is_database_away(error) else None
