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
    """Turn our errors and those of DRF into problems; anything else is a bug and is not caught."""
    exc = as_domain_error(exc)
    headers = {}
    # Rounded up, so that a client that comes back at that second is let in.
    if seconds := getattr(exc, "retry_after", None) or getattr(exc, "wait", None):
        headers["Retry-After"] = str(math.ceil(seconds))
    if isinstance(exc, DomainError):
        exc.note()
        body = problem(exc.status, exc.code, exc.detail, exc.errors, **exc.extra)
    elif isinstance(exc, exceptions.ValidationError):
        errors = list(flatten(exc.get_full_details()))
        detail = "; ".join(f"{error['field']}: {error['detail']}" for error in errors[:3])
        body = problem(exc.status_code, "invalid", detail, errors)
    elif isinstance(exc, exceptions.APIException):
        if getattr(exc, "auth_header", None):
            headers["WWW-Authenticate"] = exc.auth_header
        code = exc.get_codes()
        body = problem(exc.status_code, PUBLIC_CODES.get(code, code), str(exc.detail))
    else:
        return None
    response = Response(body, status=body["status"], headers=headers)
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


def as_domain_error(exc: Exception) -> Exception:
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


def is_for_programs(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/health", "/metrics"))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    return _plain(request, 403, "permission_denied", "You may not do this.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """For paths that no view serves."""
    return _plain(request, 404, "not_found", f"There is no resource at {request.path}.")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """For what fails before a view; of forms that Django reads itself, too."""
    error = as_domain_error(exception) if exception else None
    if isinstance(exception, DisallowedHost):
        detail = "This server does not answer under the name in the header Host (ALLOWED_HOSTS)."
        error = InvalidInput.of("Host", "disallowed_host", detail)
    if not isinstance(error, DomainError):
        return _plain(request, 400, "bad_request", "The server could not understand this request.")
    return JsonResponse(
        problem(error.status, error.code, error.detail, error.errors),
        status=error.status,
        content_type=CONTENT_TYPE,
    )


def server_error(request: HttpRequest) -> JsonResponse:
    return _plain(
        request, 500, "internal_error", "An unexpected error; it is logged on the server."
    )
