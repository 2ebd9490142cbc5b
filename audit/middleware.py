import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.http import HttpRequest, HttpResponse

from audit.request_context import origin
from core.log_fields import PLAIN_ID, current_log_fields, log_fields
from core.middleware import Answer, Around

CHANNELS = (("/api/", "rest"), ("/admin/", "admin"))


class OriginMiddleware(Around):
    """Events recorded in a request carry its channel and id; the answer names the id too."""

    @contextmanager
    def around(self, request: HttpRequest) -> Iterator[Answer]:
        fields = origin_of(request)
        with origin(**fields), log_fields(**fields):
            yield lambda response: named(response, fields)


def origin_of(request: HttpRequest) -> dict[str, str]:
    request_id = current_log_fields().get("request_id") or request_id_of(request)
    channel = next((name for start, name in CHANNELS if request.path.startswith(start)), "web")
    return {"channel": channel, "request_id": request_id}


def request_id_of(request: HttpRequest) -> str:
    request_id = request.headers.get("X-Request-ID", "")
    return request_id if PLAIN_ID.fullmatch(request_id) else str(uuid.uuid4())


def named(response: HttpResponse, fields: dict[str, str]) -> None:
    response["X-Request-ID"] = fields["request_id"]
