import uuid
from collections.abc import Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

from api.log_fields import PLAIN_ID, current_log_fields, log_fields
from audit.origin import origin

CHANNELS = (("/api/", "rest"), ("/admin/", "admin"))


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
        with origin(**fields), log_fields(**fields):
            return named(self.get_response(request), fields)

    async def call_async(self, request: HttpRequest) -> HttpResponse:
        fields = origin_of(request)
        with origin(**fields), log_fields(**fields):
            return named(await self.get_response(request), fields)


def origin_of(request: HttpRequest) -> dict[str, str]:
    request_id = current_log_fields().get("request_id") or request_id_of(request)
    channel = next((name for start, name in CHANNELS if request.path.startswith(start)), "web")
    return {"channel": channel, "request_id": request_id}


def request_id_of(request: HttpRequest) -> str:
    given = request.headers.get("X-Request-ID", "")
    return given if PLAIN_ID.fullmatch(given) else str(uuid.uuid4())


def named(response: HttpResponse, fields: dict[str, str]) -> HttpResponse:
    response["X-Request-ID"] = fields["request_id"]
    return response
