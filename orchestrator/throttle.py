import math
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from core.errors import TooMany
from core.problems import CONTENT_TYPE, is_for_programs, problem
from core.throttles import MINUTE, address_requests

# Probes come from few addresses, and must not be refused because of other requests.
FREE = ("/health", "/metrics", "/static/")


class ThrottleMiddleware:
    """Limits requests per address, and answers too many login attempts."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(FREE):
            address = request.META.get("REMOTE_ADDR", "")
            limit = settings.THROTTLE_ADDRESS_PER_MINUTE
            if seconds := address_requests.take(address, limit, MINUTE):
                detail = "Too many requests from your address."
                return too_many(request, TooMany("rate_limited", detail, retry_after=seconds))
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """For pages; the API has its own exception handler."""
        return too_many(request, exception) if isinstance(exception, TooMany) else None


def too_many(request: HttpRequest, error: TooMany) -> HttpResponse:
    headers = {"Retry-After": str(math.ceil(error.retry_after))}
    if is_for_programs(request):
        body = problem(error.status, error.code, error.detail)
        return JsonResponse(body, status=429, content_type=CONTENT_TYPE, headers=headers)
    return HttpResponse(error.detail, status=429, content_type="text/plain", headers=headers)
