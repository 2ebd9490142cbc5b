"""The pages that people work at: a plain shell of our own, under a strict content policy."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse

# No script and no style but our own files; nothing that agents write can add to them.
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


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
