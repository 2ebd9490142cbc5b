"""A Content-Security-Policy on every answer, as strict as the page permits."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core.content_security import STRICT

HEADER = "Content-Security-Policy"

# The theme's widgets are Alpine.js, which compiles the expressions in attributes (unsafe-eval), and
# it writes its colours into a <style>. Pages that show what agents wrote for reading use STRICT.
THEME = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
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
    if not response.get("Content-Type", "").startswith("text/html"):
        return STRICT
    chosen = (getattr(response, "context_data", None) or {}).get("content_policy")
    match = request.resolver_match
    if chosen or match is None:
        return chosen or STRICT
    if match.app_name == "admin":
        return THEME
    return API_PAGES if request.path.startswith("/api/") else STRICT
