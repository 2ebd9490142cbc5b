"""What a notification says, as things are when it is sent. Text of agents is shown as it is
written, with what is invisible made visible, and what is cut says so."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from agents.enums import RequestKind
from audit.event_types import EventType
from audit.models import Event, LogVerification
from audit.schedule import TREE
from context.rendering import render_markdown
from core.text import one_line, visible
from hitl.agent_actions.card_text import lines_of
from hitl.models import HitlRequest
from hitl.presenter import PresentedRequest, present_request
from hitl.selectors import waiting_for_me
from notifications.models import Notification
from notifications.notices import TEST, Kind, kinds
from notifications.preferences import time_zone_of
from projects.models import Project

EXCERPT_MAX = 1_500
# All that one must see of a call before one approves it there; Slack takes 3,000 characters.
CARD_MAX = 2_800
SUBJECT_MAX = 150
LEADS = {
    "request": "A request waits for you.",
    "reminder": "A reminder: this request still waits for you.",
    "overdue": "This request is overdue.",
    "escalation": "Nobody decided in time. Only an owner of the project can decide now.",
}


class NoLongerTrue(Exception):
    """Nobody needs to be told any more; the text says why."""


@dataclass(frozen=True)
class Message:
    """`excerpt` is '' where there is nothing to quote; `cut` says how much is missing."""

    subject: str
    lead: str
    facts: dict[str, str] = field(default_factory=dict)
    excerpt: str = ""
    cut: str = ""
    link: str = ""
    link_text: str = ""
    #: Of a request that can be decided on.
    presented: PresentedRequest | None = None


def message_for(notification: Notification) -> Message:
    """Raises NoLongerTrue."""
    kind = kinds.get(notification.kind)
    user = notification.user
    if user is not None and not user.is_active:
        raise NoLongerTrue("nobody is there to be told")
    if notification.kind == TEST:
        return message_of_test()
    if kind is None:
        raise NoLongerTrue("nobody is told of this any more")
    if notification.sequence is None:
        return message_of_alarm(notification)
    project = notification.project
    if project is None or project.erased_at is not None:
        raise NoLongerTrue("the project was erased")
    if user is not None and not Project.objects.visible_to(user).filter(pk=project.pk).exists():
        raise NoLongerTrue("the person no longer sees the project")
    event = Event.objects.filter(
        project=project.pk, sequence=notification.sequence, epoch=notification.epoch
    ).first()
    if event is None:
        raise NoLongerTrue("the event is no longer in the log")
    if kind.is_request:
        return message_of_request(kind, event.hitl_request, user)
    return message_of_event(kind, event, project, user)


def message_of_request(kind: Kind, request_id: UUID | None, user: Any) -> Message:
    requests = HitlRequest.objects.select_related("project", "task", "agent_action")
    request = requests.filter(pk=request_id).first()
    if request is None or not request.is_pending:
        raise NoLongerTrue("the request is settled")
    link = absolute("admin:hitl_hitlrequest_change", request.pk)
    subject = f"{request.project.name}: {request.title}"
    if user is None:
        # To a room that may hold anybody: that there is something, and where.
        return Message(cut_line(subject), LEADS[kind.name], {}, link=link, link_text="Open it")
    if not waiting_for_me(HitlRequest.objects.filter(pk=request.pk), user).exists():
        raise NoLongerTrue("the person cannot decide on it")
    presented = present_request(request, user)
    facts = {
        "Project": one_line(request.project.name),
        "Asked": one_line(request.title),
        "Kind": RequestKind(request.kind).label,
        "Agent": one_line(request.agent_type),
        "Asked at": moment(request.created_at, user),
    }
    if due := presented.deadlines.due_at:
        facts["Due"] = moment(due, user)
    if expires := presented.deadlines.expires_at:
        facts["Time limit"] = moment(expires, user)
    if presented.loosenings:
        facts["Rules"] = "One person alone made this project's rules less strict."
    excerpt, cut = excerpt_of(presented)
    return Message(
        subject=cut_line(subject),
        lead=LEADS[kind.name],
        facts=facts,
        excerpt=excerpt,
        cut=cut,
        link=link,
        link_text="Read it and decide",
        presented=presented,
    )


def excerpt_of(presented: PresentedRequest) -> tuple[str, str]:
    """The beginning of what is to be decided on, and what is said of the rest."""
    longest = EXCERPT_MAX
    if presented.differences:
        return "", "Something was changed behind Paraph's back: nothing of it is shown here."
    if presented.card is not None:
        lines = lines_of(presented.card, lambda value: moment(value, presented.user))
        text, longest = "\n".join(line.text for line in lines), CARD_MAX
    elif presented.contents:
        version = presented.contents[0].version
        content = version.shown_content or {}
        text = render_markdown(version.artifact.artifact_type, content)
        # Of Markdown that may become a page; here it is text, and escaped where it is HTML.
        for entity, letter in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
            text = text.replace(entity, letter)
    else:
        text = "\n".join(str(question) for question in presented.subject.get("questions", []))
    others = len(presented.contents) - 1
    shown = visible(text).strip()
    cut = []
    if len(shown) > longest:
        cut.append(f"{len(shown) - longest:,} more characters are cut off here")
        shown = shown[:longest].rstrip()
    if others > 0:
        cut.append(f"{others} more {'document is' if others == 1 else 'documents are'} not shown")
    return shown, f"{', and '.join(cut)}: read all of it before you decide." if cut else ""


def message_of_event(kind: Kind, event: Event, project: Project, user: Any) -> Message:
    build = EventType.named(event.event_type).message
    told = build(event, event.data.get("step") or "A separate task") if build else None
    lead = visible(told.text) if told else kinds.label(kind.name)
    facts = {
        "Project": one_line(project.name),
        "At": moment(event.created_at, user),
        "In the log": f"event {event.sequence}",
    }
    link = absolute("admin:projects_project_change", project.pk)
    subject = cut_line(f"{project.name}: {told.text if told else kinds.label(kind.name)}")
    return Message(subject, lead, facts, link=link, link_text="Open the project")


def message_of_alarm(notification: Notification) -> Message:
    project = notification.project
    subject = str(project.pk) if project else TREE
    found = LogVerification.objects.filter(subject=subject).exclude(problem="").first()
    if found is None:
        raise NoLongerTrue("the log holds again")
    name = one_line(project.name) if project else "The signed log"
    facts = {"About": name, "Found at": moment(found.verified_at, notification.user)}
    return Message(
        subject=cut_line(f"Integrity alarm: {name}"),
        lead=f"The log does not hold: {visible(found.problem)}",
        facts=facts,
        link=absolute("admin:projects_project_change", project.pk) if project else absolute(),
        link_text="Open Paraph",
    )


def message_of_test() -> Message:
    return Message(
        subject="A test from Paraph",
        lead="You are told here. Nothing has to be done.",
        link=absolute(),
        link_text="Open Paraph",
    )


def absolute(name: str = "admin:index", *args: Any) -> str:
    return f"{settings.PUBLIC_URL}{reverse(name, args=args)}"


def moment(value: datetime, user: Any) -> str:
    """By the clock of who is told; UTC where that may be anybody."""
    return f"{value.astimezone(time_zone_of(user)):%Y-%m-%d %H:%M %Z}"


def cut_line(text: str) -> str:
    """One line for a subject; `…` where something is missing."""
    line = one_line(text)
    return line if len(line) <= SUBJECT_MAX else f"{line[: SUBJECT_MAX - 1]}…"
