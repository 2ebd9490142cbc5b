"""Errors as `application/problem+json` (RFC 9457)."""

import math
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import (
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import Http404, HttpRequest, JsonResponse
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from core.errors import DomainError, Forbidden, InvalidInput, NotFound, TooLarge

CONTENT_TYPE = "application/problem+json"
UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")
PUBLIC_CODES = {"parse_error": "malformed_json", "throttled": "rate_limited"}


def problem(status: int, code: str, detail: str, errors: list | None = None, **extra: Any) -> dict:
    """The body of a problem document."""
    body = {
        "type": f"urn:paraph:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return body | ({"errors": errors} if errors else {}) | extra


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Turn what we and DRF raise into a problem; anything else is a bug and goes up."""
    exc = _as_known(exc)
    if isinstance(exc, DomainError):
        body = problem(exc.status, exc.code, exc.detail, exc.errors, **exc.extra)
        response = Response(body, status=exc.status, headers=_retry_after(exc))
    elif isinstance(exc, exceptions.APIException):
        response = _from_drf(exc)
    else:
        return None
    set_rollback()
    response.data = printable(response.data)
    label(response, context)
    return response


def printable(value: Any) -> Any:
    """Errors quote what was sent; characters that no text may hold are replaced."""
    if isinstance(value, dict):
        return {printable(key): printable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [printable(part) for part in value]
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) else value


def _as_known(exc: Exception) -> Exception:
    if isinstance(exc, Http404):
        return NotFound("not_found", "There is nothing here, or you may not see it.")
    if isinstance(exc, PermissionDenied):
        return Forbidden("permission_denied", "You may not do this.")
    if isinstance(exc, RequestDataTooBig):
        return TooLarge("too_large", "The request body is larger than this server accepts (5 MiB).")
    if isinstance(exc, TooManyFieldsSent | TooManyFilesSent):
        return InvalidInput("too_many_fields", "The form has more fields or files than are read.")
    # DRF's own error for it says in its code that it is about JSON.
    if broken := next(
        (e for e in (exc, exc.__context__) if isinstance(e, MultiPartParserError)), 0
    ):
        detail = f"The multipart body cannot be read: {broken}. Send one field after the other."
        return InvalidInput("malformed_multipart", detail)
    return exc


def _from_drf(exc: exceptions.APIException) -> Response:
    headers = _retry_after(exc)
    if getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = exc.auth_header
    errors = None
    if isinstance(exc, exceptions.ValidationError):
        code, errors = "invalid", list(flatten(exc.get_full_details()))
        detail = "; ".join(f"{e['field']}: {e['detail']}" for e in errors[:3])
    else:
        code, detail = exc.get_codes(), str(exc.detail)
        code = PUBLIC_CODES.get(code, code)
    return Response(
        problem(exc.status_code, code, detail, errors), status=exc.status_code, headers=headers
    )


def _retry_after(exc: Exception) -> dict[str, str]:
    """Rounded up, so that a client that comes back then is let in."""
    seconds = getattr(exc, "retry_after", None) or getattr(exc, "wait", None)
    return {"Retry-After": str(math.ceil(seconds))} if seconds else {}


def flatten(details: Any, path: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested details as `{field, code, detail}`; a list item's field is `items.0.name`."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        yield {
            "field": path or "non_field_errors",
            "code": str(details["code"]),
            "detail": str(details["message"]),
        }
    elif isinstance(details, dict):
        for key, value in details.items():
            yield from flatten(value, _join(path, key))
    elif isinstance(details, list):
        leaves = all(isinstance(d, dict) and set(d) == {"message", "code"} for d in details)
        for index, value in enumerate(details):
            yield from flatten(value, path if leaves else _join(path, index))


def _join(path: str, key: Any) -> str:
    if key == "non_field_errors":
        return path
    return f"{path}.{key}" if path else str(key)


def label(response: Response, context: dict[str, Any]) -> None:
    """Set the content type of problem documents, except on a page for people."""
    renderer = getattr(context.get("request"), "accepted_renderer", None)
    if renderer is None or renderer.format == "json":
        response.content_type = CONTENT_TYPE


def _plain(request: HttpRequest, status: int, code: str, detail: str) -> JsonResponse:
    return JsonResponse(problem(status, code, detail), status=status, content_type=CONTENT_TYPE)


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """For paths that no view serves."""
    return _plain(request, 404, "not_found", f"There is no resource at {request.path}.")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """For what fails before a view; of forms that Django reads itself, too."""
    known = _as_known(exception) if exception else None
    if isinstance(exception, DisallowedHost):
        detail = "This server does not answer under the name in the header Host (ALLOWED_HOSTS)."
        known = InvalidInput.of("Host", "disallowed_host", detail)
    if not isinstance(known, DomainError):
        return _plain(request, 400, "bad_request", "The server could not understand this request.")
    return JsonResponse(
        problem(known.status, known.code, known.detail, known.errors),
        status=known.status,
        content_type=CONTENT_TYPE,
    )


def server_error(request: HttpRequest) -> JsonResponse:
    return _plain(
        request, 500, "internal_error", "An unexpected error; it is logged on the server."
    )
