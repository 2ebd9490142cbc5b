from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.middleware import common

from core.database import is_database_away, is_disk_full
from core.disk import disk
from orchestrator.errors import database_away, disk_full

SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}


class CommonMiddleware(common.CommonMiddleware):
    """Redirects a path without its slash by 308, which keeps method and body, unlike 301."""

    @staticmethod
    def response_redirect_class(path: str) -> HttpResponsePermanentRedirect:
        return HttpResponsePermanentRedirect(path, preserve_request=True)

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        return None if is_probe(request.path) else super().process_request(request)


def is_probe(path: str) -> bool:
    """Probes use an address or the name of a container, which ALLOWED_HOSTS does not have.

    These pages make no links from the host name. Without a token metrics are for this machine only:
    then the name is checked, so that no page in its browser can read them by DNS rebinding.
    """
    probed = ("health", "metrics") if settings.METRICS_TOKEN else ("health",)
    return path.split("/")[1] in probed


class DatabaseAwayMiddleware:
    """Answers 503, instead of 500, while the database cannot be reached; 507 if its disk is full.

    Then what would write is refused at once, so that what is left is kept for those who read. A
    stop is never refused: it is small, and it ends work that needs space.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_stop = "emergency-stop" in request.path
        if request.method not in SAFE_METHODS and not is_stop and disk.is_full():
            return disk_full(request)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if is_disk_full(error):
            disk.note_full()
            return disk_full(request)
        return database_away(request, error) if is_database_away(error) else None
