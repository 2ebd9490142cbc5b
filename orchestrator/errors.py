"""Error pages: problem documents for programs, Django's own pages for people."""

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from core import problems
from core.database import database_away_problem, is_database_away, is_disk_full
from core.disk import disk_full_problem

PLAIN_PAGE = """<!doctype html>
<html lang="en">
<head><title>{title}</title></head>
<body>
  <h1>{title}</h1>
  <p>{text}</p>
</body>
</html>
"""
AWAY_PAGE = PLAIN_PAGE.format(
    title="The database cannot be reached",
    text="Nothing that was acknowledged is lost. Load this page again in a moment.",
)
DISK_FULL_PAGE = PLAIN_PAGE.format(
    title="The disk is full",
    text="Nothing can be written until there is space again. What was acknowledged is kept, and "
    "can be read. Tell whoever runs this installation.",
)


def is_for_programs(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/health", "/metrics"))


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    page = problems.bad_request if is_for_programs(request) else defaults.bad_request
    return page(request, exception)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    page = problems.not_found if is_for_programs(request) else defaults.page_not_found
    return page(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Also for errors outside of a view, such as a session that cannot be saved."""
    error = sys.exc_info()[1]
    if is_database_away(error):
        return database_away(request, error)
    if is_disk_full(error):
        return disk_full(request)
    page = problems.server_error if is_for_programs(request) else defaults.server_error
    return page(request)


def database_away(request: HttpRequest, error: BaseException) -> HttpResponse:
    """Without a menu, because that would query the database."""
    answer = database_away_problem(request, error)
    if is_for_programs(request):
        return answer
    return HttpResponse(AWAY_PAGE, status=503, headers={"Retry-After": answer["Retry-After"]})


def disk_full(request: HttpRequest) -> HttpResponse:
    answer = disk_full_problem(request)
    if is_for_programs(request):
        return answer
    headers = {"Retry-After": answer["Retry-After"]}
    return HttpResponse(DISK_FULL_PAGE, status=507, headers=headers)
