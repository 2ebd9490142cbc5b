"""The page of one request: everything that a person needs to decide on it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from agents.enums import RequestKind
from context.artifact_types import artifact_types
from context.diff import changes_between
from context.enums import Change
from context.html import read_markdown
from context.models import Artifact, ArtifactVersion
from context.side_by_side import ComparedFile, compare_contents
from core.errors import DomainError
from core.fields import MAX_DEPTH
from core.reauthentication import is_fresh
from core.text import escaped_json, visible
from hitl.agent_actions.card import Card
from hitl.agent_actions.standing_approvals import open_standing_approvals
from hitl.models import AgentAction, HitlRequest, StandingApproval
from hitl.presenter import PresentedAction, PresentedRequest, PresentedVersion, present_request
from hitl.readings import note_reading
from hitl.selectors import requests_for
from orchestrator.engine.progress import blocked_steps, progress_of
from projects.access import DECIDE
from projects.selectors import find_user
from ui.web.artifacts.content_html import content_html, json_tree
from ui.web.artifacts.requirement_texts import requirement_texts, with_requirement_texts
from ui.web.inbox.answer_form import AnswerForm
from ui.web.inbox.decide_first import points_of
from ui.web.inbox.follow_up import FollowUpForm
from ui.web.inbox.inbox import next_for, stream_heads
from ui.web.pages import render_page
from ui.wording import (
    OBSTACLES,
    WHAT_HAPPENED,
    deadline_text,
    loosening_text,
    missing_text,
    why_asked,
)

# More changed arguments than anybody reads one by one.
CHANGES_SHOWN = 100
# Parts of the handoff that have a place of their own on the page.
ON_THE_PAGE = {"materials", "instructions", "feedback", "answers", "workflow", "sha256"}


@dataclass(frozen=True)
class ShownVersion:
    """One artifact version as HTML, and what changed since the last decision."""

    artifact: Artifact
    version: ArtifactVersion
    html: SafeString
    tree: SafeString
    last_decided: ArtifactVersion | None
    compared: list[ComparedFile]

    @property
    def changes(self) -> int | None:
        """How many lines; None where there is nothing to compare with, or it is too long."""
        if self.last_decided is None or any(file.lines is None for file in self.compared):
            return None
        return sum(file.changes for file in self.compared)


@dataclass(frozen=True)
class ShownChange:
    """One argument that differs; None where there was none, or is none any more."""

    path: str
    old: SafeString | None
    new: SafeString | None


@dataclass(frozen=True)
class ShownChanges:
    """The first of them, and how many more there are."""

    shown: list[ShownChange]
    more: int


@dataclass(frozen=True)
class ActionForm:
    """`templates`: the action's own where it has one, else the usual form."""

    action: PresentedAction
    templates: list[str]


def get_request(user: Any, request_id: Any) -> HitlRequest:
    """Raises Http404 for what is not there or may not be seen."""
    hitl_request = requests_for(user).select_related("previous").filter(pk=request_id).first()
    if hitl_request is None:
        raise Http404("There is no such request, or you may not see it.")
    return hitl_request


@require_GET
def show_preview(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """What is decided on, for the pane beside the inbox. Raises Http404."""
    hitl_request = get_request(request.user, request_id)
    presented = present_request(hitl_request, request.user)
    context = request_context(presented) | {
        "asks_password": hitl_request.needs_reauthentication and not is_fresh(request),
    }
    note_shown(presented)
    return TemplateResponse(request, "ui/inbox/preview.html", context)


def note_shown(presented: PresentedRequest) -> None:
    """What was withheld, because it was changed behind our back, nobody has read."""
    if presented.request.is_pending and not presented.differences:
        note_reading(presented.request, presented.user)


def show_request(
    request: HttpRequest, hitl_request: HitlRequest, refusal: DomainError | None = None
) -> HttpResponse:
    blocked = blocked_steps([hitl_request])[hitl_request.pk]
    follows = f"Next: {blocked[0]}." if blocked else ""
    chosen = request.POST.get("on_behalf_of") or request.GET.get("for", "")
    presented = present_request(
        hitl_request, request.user, follows=follows, on_behalf_of=named_user(chosen)
    )
    context = request_context(presented) | {
        "title": hitl_request.title,
        "trail": [("Inbox", reverse("admin:index"))],
        "next": next_for(request.user, exclude=hitl_request.pk),
        "blocked": blocked,
        "asks_here": presented.can_decide.allowed
        and any(action.key == "answer" for action in presented.actions),
        "refusal": refusal,
        "is_for_chosen": bool(chosen),
        "typed": request.POST,
        "asks_password": hitl_request.needs_reauthentication and not is_fresh(request),
        "editor": _editor(presented, request.POST.get("content")),
        **decision_forms(presented, request.POST, refusal),
        **standing_context(presented),
    }
    note_shown(presented)
    status = refusal.status if refusal else 200
    return render_page(request, "ui/inbox/request.html", context, status=status)


def named_user(name: str) -> Any:
    """None without a name. A name that nobody has is nobody's, and not the reader's own."""
    return (find_user(name) or User(pk=0)) if name else None


def request_context(presented: PresentedRequest) -> dict[str, Any]:
    hitl_request = presented.request
    project, task = hitl_request.project, hitl_request.task
    texts = requirement_texts(project.pk) if presented.contents else {}
    documents = [shown_version(content, texts) for content in presented.contents]
    assignees = presented.deciders.exclude(user=presented.claimant or presented.user)
    given = task.handoff if task else {}
    handoff = {name: part for name, part in given.items() if name not in ON_THE_PAGE}
    card = presented.card
    is_given_changed = any(error.facts["what"] == "assignment" for error in presented.differences)
    return {
        "presented": presented,
        "hitl_request": hitl_request,
        "project": project,
        "task": task,
        "subject": presented.subject,
        "why": why_asked(hitl_request),
        "documents": documents,
        "points": points_of(presented, [document.changes for document in documents]),
        "progress": progress_of(project),
        "forms": [
            action_form(action)
            for action in presented.actions
            # Nobody writes for somebody else.
            if not (presented.can_decide.delegation and action.key == "amend")
        ],
        "loosenings": [loosening_text(loosening) for loosening in presented.loosenings],
        "missing": missing_text(presented),
        "deadline": deadline_text(presented.deadlines, presented.now),
        "obstacles": [OBSTACLES[code] for code in presented.obstacles],
        "deciders": [membership.user for membership in presented.deciders]
        if hitl_request.is_pending
        else [],
        "assignees": assignees if presented.may_reassign else [],
        "head": stream_heads([project.pk])[str(project.pk)],
        "instructions": read_markdown(task.instructions) if task else "",
        "notes": read_markdown(task.result.get("notes", "") or "") if task else "",
        **(card_context(card) if card else {}),
        "handoff": json_tree(handoff),
        "is_given_changed": is_given_changed,
    }


def shown_version(presented: PresentedVersion, texts: dict[str, str]) -> ShownVersion:
    """Exactly the version that the digest is over, though a newer one may exist."""
    artifact, version, before = presented.artifact, presented.version, presented.last_decided
    html = tree = SafeString()
    if version.difference is None:
        html = content_html(artifact.artifact_type, version.content)
        html = with_requirement_texts(html, artifact.artifact_type, texts)
        tree = json_tree(version.content)
    compared = []
    if presented.is_comparable:
        compared = compare_contents(artifact.artifact_type, before.content, version.content)
    last_decided = before if presented.is_comparable else None
    return ShownVersion(artifact, version, html, tree, last_decided, compared)


def card_context(card: Card) -> dict[str, Any]:
    asked = card.asked_arguments
    return {
        "card": card,
        # Nobody approves what is folded away.
        "arguments": json_tree(card.arguments, open_levels=MAX_DEPTH),
        "asked_arguments": "" if asked is None else json_tree(asked),
        "amended": shown_changes([] if asked is None else changes_between(asked, card.arguments)),
        "changes": shown_changes(card.last.changes if card.last else []),
        "stale": [
            {
                "old": stale.old,
                "new": stale.new,
                "compared": compare_contents(
                    stale.old.artifact.artifact_type, stale.old.content, stale.new.content
                )
                if stale.is_comparable
                else None,
            }
            for stale in card.stale
        ],
    }


def shown_changes(changes: Iterable[dict[str, Any]]) -> ShownChanges:
    changes = list(changes)
    shown = [
        ShownChange(
            visible(change["path"] or "all of it"),
            None if change["change"] == Change.ADDED else json_tree(change["old"]),
            None if change["change"] == Change.REMOVED else json_tree(change["new"]),
        )
        for change in changes[:CHANGES_SHOWN]
    ]
    return ShownChanges(shown, len(changes) - len(shown))


def decision_forms(
    presented: PresentedRequest, typed: QueryDict, refusal: DomainError | None
) -> dict[str, Any]:
    """What a person fills in with a decision on an action, with what they had typed."""
    if not presented.can_decide.allowed or presented.card is None:
        return {}
    action, keys = presented.card.action, {action.key for action in presented.actions}
    answer_form = follow_up = None
    if "answer" in keys:
        is_typed = typed.get("action") == "answer"
        answer_form = answer_form_of(presented.request, typed if is_typed else None)
        if answer_form and is_typed and refusal:
            answer_form.show(refusal)
    if "approve" in keys and may_follow_up(presented.request, action):
        follow_up = FollowUpForm(action, typed if "follow-count" in typed else None)
    return {"answer_form": answer_form, "follow_up": follow_up}


def standing_context(presented: PresentedRequest) -> dict[str, Any]:
    """The person's word for further calls that was given with the decision, and its uses."""
    rules = StandingApproval.objects.filter(decision__request=presented.request)
    rule = rules.select_related("given_by").first() if presented.card else None
    if rule is None:
        return {}
    is_open = rule in open_standing_approvals(presented.request.project)
    return {
        "standing": rule,
        "standing_is_open": is_open,
        "may_end_standing": is_open and presented.role in DECIDE,
        "bounds": json_tree(rule.bounds, open_levels=MAX_DEPTH),
        "uses": rule.uses.defer("continuation", "result").order_by("created_at"),
    }


def answer_form_of(hitl_request: HitlRequest, typed: QueryDict | None) -> AnswerForm | None:
    """None where the answer is text."""
    action = hitl_request.agent_action
    if action is None:
        return None
    if hitl_request.kind == RequestKind.ESCALATION:
        form = AnswerForm({"enum": list(WHAT_HAPPENED)}, typed)
        field = form.fields["0"]
        field.label = "Did it happen?"
        field.choices = [(number, WHAT_HAPPENED[value]) for number, value in field.values.items()]
        return form
    return AnswerForm(action.response_schema, typed) if action.response_schema else None


def may_follow_up(hitl_request: HitlRequest, action: AgentAction) -> bool:
    """A destructive call is never covered, nor one on which more than one person decides."""
    is_last = hitl_request.approvals + 1 >= hitl_request.required_approvals
    is_approval = hitl_request.kind == RequestKind.ACTION_APPROVAL
    return is_approval and is_last and not action.hints.get("destructiveHint")


def action_form(action: PresentedAction) -> ActionForm:
    return ActionForm(action, [f"ui/actions/{action.key}.html", "ui/actions/default.html"])


def _editor(presented: PresentedRequest, typed: str | None) -> dict[str, Any] | None:
    """An amendment starts from what is shown, or from what the person had typed."""
    if (card := presented.card) is not None:
        if not presented.may_amend:
            return None
        arguments = escaped_json(json.dumps(card.arguments, indent=2, ensure_ascii=False))
        schema = card.action.edit_schema
        return {
            "text": typed or arguments,
            "schema": schema if isinstance(schema, dict) else {},
            "is_of_action": True,
        }
    artifact_type = presented.amended_type
    if artifact_type is None:
        return None
    content = escaped_json(json.dumps(presented.content or {}, indent=2, ensure_ascii=False))
    schema = artifact_types[artifact_type].schema.model_json_schema()
    return {"text": typed or content, "schema": schema}
