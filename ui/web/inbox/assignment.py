"""Who has a request, and its thread: each button fetches, calls one service, and answers."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from audit.actors import Actor
from core.errors import DomainError, InvalidInput, NotFound
from hitl.services import add_comment, claim_request, reassign_request, release_request
from ui.web.inbox.views import get_request, show_request

VERBS: dict[str, Callable[..., Any]] = {
    "claim": claim_request,
    "release": release_request,
    "reassign": reassign_request,
    "comment": add_comment,
}
DONE = {
    "claim": "You have it now; nobody else decides meanwhile.",
    "release": "All who may decide have it again.",
    "reassign": "It is handed over.",
    "comment": "Your comment is in the thread.",
}


def hand_on(site: AdminSite, http: HttpRequest, request_id: UUID, verb: str) -> HttpResponse:
    """Raises Http404 for who may not see the request."""
    item = get_request(http.user, request_id)
    try:
        VERBS[verb](request_id=item.pk, actor=Actor.of_user(http.user), **_said(http, verb))
    except NotFound as error:
        raise Http404(error.detail) from error
    except DomainError as error:
        return show_request(site, http, get_request(http.user, item.pk), error)
    messages.success(http, DONE[verb])
    page = reverse("admin:hitl_hitlrequest_change", args=[item.pk])
    return redirect(f"{page}#thread" if verb == "comment" else page)


def _said(http: HttpRequest, verb: str) -> dict[str, Any]:
    if verb == "comment":
        return {"text": http.POST.get("text", "")}
    return {"user": _user(http.POST.get("user", ""))} if verb == "reassign" else {}


def _user(name: str) -> User:
    user = User.objects.filter(username=name).first()
    if user is None:
        raise InvalidInput.of("user", "not_found", "Choose who is to have it.")
    return user
