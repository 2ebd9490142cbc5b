"""The request's page and its two doors: look, check, decide. Only POST decides."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse

from audit.actors import Actor
from context.models import ArtifactVersion
from context.services import check_content
from core.errors import DomainError, InvalidInput, NotFound
from hitl.models import Decision, HitlRequest
from hitl.services import decide
from hitl.subject import amended_type
from ui.web.inbox.answers import content_from, parse_content
from ui.web.inbox.queries import next_for, waiting_for
from ui.web.inbox.request_detail import everything_about, schema_of
from ui.web.pages import render_page


def get_request(user: Any, request_id: UUID) -> HitlRequest:
    """Raises Http404 for what is not there or may not be seen."""
    found = HitlRequest.objects.visible_to(user).select_related(
        "project", "task", "previous", "claimed_by"
    )
    request = found.filter(pk=request_id).first()
    if request is None:
        raise Http404("There is no such request, or you may not see it.")
    return request


def show_request(
    site: AdminSite, http: HttpRequest, item: HitlRequest, refusal: DomainError | None = None
) -> HttpResponse:
    context = everything_about(item, http.user) | {
        "title": item.title,
        "trail": [("Inbox", reverse("admin:index"))],
        "waiting_count": waiting_for(http.user).count(),
        "next": next_for(http.user, but=item.pk),
        "refusal": refusal,
        "said": http.POST,
        **_editor(http, item),
    }
    status = refusal.status if refusal else 200
    return render_page(site, http, "ui/inbox/request.html", context, status=status)


def _editor(http: HttpRequest, item: HitlRequest) -> dict[str, Any]:
    """The amendment starts from what is shown, or from what the person had written."""
    amendable = item.subject["outputs"] or item.task.handoff.get("expected_outputs")
    if not amendable:
        return {}
    outputs = item.subject["outputs"]
    content = _shown_content(outputs[0]) if outputs else {}
    text = http.POST.get("content") or json.dumps(content, indent=2, ensure_ascii=False)
    return {
        "editor_text": text,
        "editor_type": amended_type(item),
        "editor_schema": schema_of(item),
    }


def _shown_content(output: dict[str, Any]) -> Any:
    return ArtifactVersion.objects.get(
        artifact=output["artifact"], number=output["version"]
    ).content


def decide_on(site: AdminSite, http: HttpRequest, item: HitlRequest) -> HttpResponse:
    """Decide, then go to the next one; or show the page again with the reason why not."""
    try:
        decision = decide(
            request_id=item.pk,
            actor=Actor.of_user(http.user),
            action=http.POST.get("action", ""),
            subject_digest=http.POST.get("subject_digest", ""),
            comment=http.POST.get("comment", ""),
            content=content_from(http.POST, item),
            channel="admin",
            break_glass="break_glass" in http.POST,
        )
    except NotFound as error:
        raise Http404(error.detail) from error
    except DomainError as error:
        return show_request(site, http, get_request(http.user, item.pk), error)
    following = next_for(http.user)
    done = what_came_of(decision)
    messages.success(http, f"{item.title}: {done}{'' if following else ' Nothing else waits.'}")
    if following is None:
        return redirect("admin:index")
    return redirect("admin:hitl_hitlrequest_change", following.pk)


def what_came_of(decision: Decision) -> str:
    """The state of the request after it, in words."""
    request = decision.request
    if request.is_pending:
        return f"your approval counts, {request.approvals} of {request.required_approvals}."
    return f"{request.status.replace('_', ' ')}."


def check_draft(http: HttpRequest, item: HitlRequest) -> JsonResponse:
    """What is wrong with an amendment, while it is being written. Stores nothing."""
    try:
        content = parse_content(http.POST.get("content", ""))
        if content is None:
            raise InvalidInput.of("content", "required", "Must not be empty.")
        check_content(amended_type(item), content)
    except DomainError as error:
        errors = error.errors or [{"field": "content", "code": error.code, "detail": error.detail}]
        return JsonResponse({"is_valid": False, "errors": errors})
    return JsonResponse({"is_valid": True, "errors": []})


def count_waiting(http: HttpRequest) -> JsonResponse:
    return JsonResponse({"waiting": waiting_for(http.user).count()})
