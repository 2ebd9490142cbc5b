"""The pages that people work with: plain HTML under a strict content policy."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import DomainError


def render_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> TemplateResponse:
    """`template` extends `ui/base.html`; `title` is required, `trail` holds (name, url) pairs."""
    full = admin.site.each_context(request) | context
    return TemplateResponse(request, template, full, status=status)


def add_errors(form: forms.Form, error: DomainError) -> None:
    """Show a service's reasons at the fields that they are about."""
    for reason in error.errors or [{"field": "", "detail": error.detail}]:
        field = reason["field"] if reason["field"] in form.fields else None
        form.add_error(field, reason["detail"])


class DocsPage(SpectacularSwaggerView):
    """Swagger UI. No login here needs a window of another origin, so none is let in."""

    # OPTIONS would answer in JSON, which this page cannot render.
    http_method_names = ("get", "head")

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = super().get(request, *args, **kwargs)
        del response.headers["Cross-Origin-Opener-Policy"]
        return response
