"""The page that asks for the password again, and how the decision forms do it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from core.errors import DomainError
from core.reauthentication import is_fresh, reauthenticate
from hitl.enums import Assurance
from ui.web.pages import render_page


def show_reauthentication(request: HttpRequest) -> HttpResponse:
    target = request.POST.get("next") or request.GET.get("next", "")
    refusal = None
    if request.method == "POST":
        try:
            reauthenticate(request, request.POST.get("password", ""))
        except DomainError as error:
            refusal = error
        else:
            is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()})
            return redirect(target if is_ours else "admin:index")
    context = {
        "title": "Your password again",
        "next": target,
        "refusal": refusal,
        "minutes": max(1, settings.REAUTHENTICATION_SECONDS // 60),
    }
    status = refusal.status if refusal else 200
    return render_page(request, "ui/reauthenticate.html", context, status=status)


def assurance_of(request: HttpRequest, password: str = "") -> Assurance:
    """Of a decision by a page, with the password of its form. Raises Forbidden, TooMany."""
    if password and not is_fresh(request):
        reauthenticate(request, password)
    return Assurance.REAUTHENTICATED if is_fresh(request) else Assurance.SESSION
