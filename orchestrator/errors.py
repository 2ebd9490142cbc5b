"""Error pages: problem documents for programs, Django's own pages for people."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from api import problems


def is_for_programs(request: HttpRequest) -> bool:
    return request.path.startswith(("/api/", "/health", "/metrics"))


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    page = problems.bad_request if is_for_programs(request) else defaults.bad_request
    return page(request, exception)


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    page = problems.not_found if is_for_programs(request) else defaults.page_not_found
    return page(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    page = problems.server_error if is_for_programs(request) else defaults.server_error
    return page(request)
