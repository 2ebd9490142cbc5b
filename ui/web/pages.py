"""The pages that people work at: plain HTML under a strict content policy."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse

from core.content_security import STRICT


def render_page(
    site: AdminSite,
    request: HttpRequest,
    template: str,
    context: dict[str, Any],
    *,
    status: int = 200,
) -> TemplateResponse:
    """`template` extends `ui/base.html`; `title` is required, `trail` holds (name, url) pairs."""
    full = site.each_context(request) | {"content_policy": STRICT} | context
    return TemplateResponse(request, template, full, status=status)
