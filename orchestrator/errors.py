"""Error pages: problem documents for programs, pages in the usual layout for people."""

import logging
import sys
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from core import problems
from core.database import (
    DATABASE_AWAY,
    DETAIL,
    RETRY_AFTER_SECONDS,
    is_database_away,
    is_disk_full,
)
from core.disk import disk_full_problem
from core.problems import is_for_programs
from ui.web.error_pages import bare_page, error_page

logger = logging.getLogger(__name__)

AWAY = "Nothing that was acknowledged is lost. Load this page again in a moment."
DISK_FULL = (
    "Nothing can be written until there is space again. What was acknowledged is kept, and "
    "can be read. Tell whoever runs this installation."
)


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    if is_for_programs(request):
        return problems.bad_request(request, exception)
    text = "The server could not make sense of it. Go back and try again."
    return bare_page(400, "Bad request", text)


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    if is_for_programs(request):
        return problems.forbidden(request, exception)
    text = str(exception or "") or "Your account may not open this page, or not do this."
    return error_page(request, 403, "You may not do this", text)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    if is_for_programs(request):
        return problems.not_found(request, exception)
    # A view's own words; Django's are about routes.
    said = exception.args[0] if exception is not None and exception.args else ""
    text = said if isinstance(said, str) and said else "There is nothing at this address."
    return error_page(request, 404, "Not found", text)


def server_error(request: HttpRequest) -> HttpResponse:
    """Also for errors outside of a view, such as a session that cannot be saved."""
    error = sys.exc_info()[1]
    if is_database_away(error):
        return database_away(request, error)
    if is_disk_full(error):
        return disk_full(request)
    if is_for_programs(request):
        return problems.server_error(request)
    text = "The error is ours, and it is in the server's log. What was acknowledged is kept."
    return bare_page(500, "Something went wrong", text)


def database_away(request: HttpRequest, error: BaseException) -> HttpResponse:
    """Without a menu, because that would query the database."""
    logger.warning("database away", extra={"path": request.path, "error": repr(error)})
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if is_for_programs(request):
        body = problems.problem(503, DATABASE_AWAY, DETAIL)
        return JsonResponse(body, status=503, content_type=problems.CONTENT_TYPE, headers=headers)
    return bare_page(503, "The database cannot be reached", AWAY, headers)


def disk_full(request: HttpRequest) -> HttpResponse:
    answer = disk_full_problem(request)
    if is_for_programs(request):
        return answer
    return bare_page(507, "The disk is full", DISK_FULL, {"Retry-After": answer["Retry-After"]})
