"""Pages that say what went wrong: in the usual layout where somebody is logged in, else bare."""

from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from ui.web.pages import render_page


def error_page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return bare_page(status, title, text)
    context = {"title": title, "text": text}
    return render_page(request, "ui/layout/error.html", context, status=status).render()


def bare_page(
    status: int, title: str, text: str, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Reads nothing from the database."""
    context = {"title": title, "text": text, "status": status}
    page = render_to_string("ui/layout/bare_error.html", context)
    return HttpResponse(page, status=status, headers=headers)
