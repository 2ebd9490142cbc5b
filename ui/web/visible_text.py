"""No page shows a person less, or other, than what stands in its text."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core.text import escaped


class VisibleTextMiddleware:
    """Invisible characters are escaped in every page: ours, the admin's and the API's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_page = response.get("Content-Type", "").startswith("text/html")
        if is_page and not response.streaming:
            response.content = escaped(response.content.decode(response.charset))
        return response
