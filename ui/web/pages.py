"""The pages that people work at: a plain shell of our own, under a strict content policy."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse

from core.content_security import STRICT


def desk_page(
    site: AdminSite,
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    status: int = 200,
) -> TemplateResponse:
    """A page in the shell. `title` must be in the context; `trail` holds (name, url) pairs."""
    full = site.each_context(request) | {"content_policy": STRICT} | context
    return TemplateResponse(request, template, full, status=status)
