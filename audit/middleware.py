import re
import uuid
from collections.abc import Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

from audit.origin import origin

CHANNELS = (("/api/", "rest"), ("/admin/", "admin"))
# What comes from outside goes into the log for good: only plain ids of a sane length.
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class OriginMiddleware:
    """Events recorded in a request carry its channel and id; the answer names the id too."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if iscoroutinefunction(self):
            return self.call_async(request)
        fields = origin_of(request)
        with origin(**fields):
            return named(self.get_response(request), fields)

    async def call_async(self, request: HttpRequest) -> HttpResponse:
        fields = origin_of(request)
        with origin(**fields):
            return named(await self.get_response(request), fields)


def origin_of(request: HttpRequest) -> dict[str, str]:
    given = request.headers.get("X-Request-ID", "")
    request_id = given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())
    channel = next((name for start, name in CHANNELS if request.path.startswith(start)), "web")
    return {"channel": channel, "request_id": request_id}


def named(response: HttpResponse, fields: dict[str, str]) -> HttpResponse:
    response["X-Request-ID"] = fields["request_id"]
    return response
