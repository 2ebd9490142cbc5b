"""A Content-Security-Policy on every answer: no script and no style but our own files."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core.content_security import STRICT

HEADER = "Content-Security-Policy"

# The browsable API and Swagger UI bring inline scripts of their own.
API_PAGES = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
)


class ContentPolicyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault(HEADER, policy_for(request, response))
        return response


def policy_for(request: HttpRequest, response: HttpResponse) -> str:
    is_page = response.get("Content-Type", "").startswith("text/html")
    if is_page and request.resolver_match is not None and request.path.startswith("/api/"):
        return API_PAGES
    return STRICT
