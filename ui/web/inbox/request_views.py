"""What a person does on a request's page. Only POST decides, and each button calls one service."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from audit.actors import Actor
from core.errors import DomainError, InvalidInput, NotFound
from hitl.agent_actions.digests import changed_call
from hitl.agent_actions.standing_approvals import revoke_standing_approval
from hitl.models import HitlRequest
from hitl.services import add_comment, claim_request, decide, reassign_request, release_request
from hitl.subject import check_amendment
from ui.web.inbox.answer_form import parse_content
from ui.web.inbox.follow_up import FollowUpForm
from ui.web.inbox.inbox import next_for
from ui.web.inbox.request_page import (
    answer_form_of,
    get_request,
    named_user,
    show_request,
)
from ui.web.reauthentication import assurance_of
from ui.wording import outcome

VERBS: dict[str, Callable[..., Any]] = {
    "claim": claim_request,
    "release": release_request,
    "reassign": reassign_request,
    "comment": add_comment,
}
DONE = {
    "claim": "You have claimed it. Until you release it, nobody else decides.",
    "release": "Released: everybody who may decide can do so again.",
    "reassign": "Reassigned.",
    "comment": "Your comment is in the thread.",
}


@require_POST
def decide_on_request(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Decide, then go to the next request; or show the page again with the reason why not."""
    hitl_request = get_request(request.user, request_id)
    try:
        decision = decide(
            request_id=hitl_request.pk,
            actor=Actor.of_user(request.user),
            action=request.POST.get("action", ""),
            subject_digest=request.POST.get("subject_digest", ""),
            comment=comment_from(request.POST),
            content=content_from(request.POST, hitl_request),
            channel="admin",
            assurance=assurance_of(request, request.POST.get("password", "")),
            break_glass="break_glass" in request.POST,
            on_behalf_of=named_user(request.POST.get("on_behalf_of", "")),
        )
    except NotFound as error:
        raise Http404(error.detail) from error
    except DomainError as error:
        return show_request(request, get_request(request.user, request_id), error)
    following = next_for(request.user)
    rest = "" if following else " Nothing else is waiting for you."
    messages.success(request, f"{hitl_request.title}: {outcome(decision)}{rest}")
    if following is None or request.POST.get("origin") == "inbox":
        return redirect("admin:index")
    return redirect("admin:hitl_hitlrequest_change", following.pk)


@require_POST
def check_draft(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """What is wrong with an amendment, while it is being written. Stores nothing."""
    hitl_request = get_request(request.user, request_id)
    try:
        is_exact = hitl_request.agent_action is not None
        content = parse_content(request.POST.get("content", ""), is_exact=is_exact)
        if content is None:
            raise InvalidInput.of("content", "required", "Must not be empty.")
        check_amendment(hitl_request, content)
    except DomainError as error:
        errors = error.errors or [{"field": "content", "code": error.code, "detail": error.detail}]
        return JsonResponse({"is_valid": False, "errors": errors})
    return JsonResponse({"is_valid": True, "errors": []})


@require_POST
def change_assignment(request: HttpRequest, request_id: UUID, verb: str) -> HttpResponse:
    """Claim, release, reassign or comment. Raises Http404 for who may not see the request."""
    hitl_request = get_request(request.user, request_id)
    try:
        fields: dict[str, Any] = {}
        if verb == "comment":
            fields["text"] = request.POST.get("text", "")
        if verb == "reassign":
            fields["user"] = User.objects.filter(username=request.POST.get("user", "")).first()
            if fields["user"] is None:
                raise InvalidInput.of("user", "not_found", "Choose the person to reassign it to.")
        VERBS[verb](request_id=hitl_request.pk, actor=Actor.of_user(request.user), **fields)
    except NotFound as error:
        raise Http404(error.detail) from error
    except DomainError as error:
        return show_request(request, get_request(request.user, request_id), error)
    messages.success(request, DONE[verb])
    page = reverse("admin:hitl_hitlrequest_change", args=[hitl_request.pk])
    return redirect(f"{page}#thread" if verb == "comment" else page)


@require_POST
def end_standing_approval(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """From now on people are asked again. Raises Http404 for who may not see the request."""
    hitl_request = get_request(request.user, request_id)
    try:
        revoke_standing_approval(
            project_id=hitl_request.project_id,
            actor=Actor.of_user(request.user),
            rule_id=UUID(request.POST.get("rule", "")),
        )
    except (NotFound, ValueError) as error:
        raise Http404("There is no such standing approval.") from error
    except DomainError as error:
        return show_request(request, get_request(request.user, request_id), error)
    messages.success(request, "Ended. From now on people are asked before each such call.")
    return redirect("admin:hitl_hitlrequest_change", hitl_request.pk)


def comment_from(form: QueryDict) -> str:
    """The comment, and below it those on single parts, each with the place that it is about."""
    notes = zip(form.getlist("note-place"), form.getlist("note-text"), strict=False)
    parts = [form.get("comment", "").strip()]
    parts += [f"On {place.strip()}: {text.strip()}" for place, text in notes if text.strip()]
    return "\n\n".join(filter(None, parts))


def content_from(form: QueryDict, hitl_request: HitlRequest) -> Any:
    """What the action needs as content, or None. Raises InvalidInput."""
    action = hitl_request.agent_action
    if "follow-count" in form and action is not None and changed_call(action) is None:
        return FollowUpForm(action, form).content()
    if form.get("action") != "answer":
        return parse_content(form.get("content", ""), is_exact=action is not None)
    if (answer_form := answer_form_of(hitl_request, form)) is not None:
        return answer_form.content()
    # One text, or with several questions one for each that was answered.
    questions = hitl_request.subject["questions"]
    answers = [form.get(f"answer-{n}", "").strip() for n in range(max(1, len(questions)))]
    if len(questions) < 2:
        return answers[0]
    pairs = zip(questions, answers, strict=True)
    return {question: answer for question, answer in pairs if answer}
