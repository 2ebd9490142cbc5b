from typing import Any

from django.utils import timezone

from hitl.enums import RequestKind
from hitl.models import HitlRequest
from hitl.rules import allowed_actions, can_decide
from ui.terminal.console import Terminal
from ui.terminal.documents import Document, documents_of

# More would scroll away what the person came for; all of it is one key away.
SHOWN_LINES = 400


def show_request(terminal: Terminal, request: HitlRequest, user: Any, *, in_full: bool) -> None:
    """Everything that a decision would be about."""
    _show_head(terminal, request)
    _show_questions(terminal, request)
    _show_error(terminal, request)
    for document in documents_of(request):
        _show_document(terminal, document, in_full=in_full)
    _show_foot(terminal, request, user)


def whole_text(request: HitlRequest) -> str:
    """All documents and differences, for a pager."""
    parts = []
    for document in documents_of(request):
        parts += [_caption(document), "", document.markdown, document.diff, ""]
    return "\n".join(parts)


def _show_head(terminal: Terminal, request: HitlRequest) -> None:
    terminal.say()
    terminal.say(request.title, "bold")
    facts = {
        "request": request.pk,
        "project": f"{request.project.name} ({request.project_id})",
        "kind": RequestKind(request.kind).label,
        "step": f"{request.step or 'on its own'}, round {request.subject['round']}",
        "agent": request.agent_type,
    }
    for name, value in facts.items():
        terminal.say(f"{name}: {value}", "dim")


def _show_questions(terminal: Terminal, request: HitlRequest) -> None:
    if reason := request.subject["reason"]:
        terminal.say(reason)
    for number, question in enumerate(request.subject["questions"], 1):
        terminal.say(f"{number}. {question}", "bold cyan")


def _show_error(terminal: Terminal, request: HitlRequest) -> None:
    if error := request.subject["error"]:
        terminal.say(f"Error {error.get('code')}: {error.get('detail')}", "red")
    if request.subject["verdict"] == "fail":
        terminal.say("The verdict on this result is: fail", "red")


def _caption(document: Document) -> str:
    return (
        f"{document.title}, version {document.version} "
        f"({document.artifact_type} by {document.maker}, SHA-256 {document.sha256[:12]})"
    )


def _show_document(terminal: Terminal, document: Document, *, in_full: bool) -> None:
    terminal.say()
    terminal.say(_caption(document), "bold cyan")
    _show_some(terminal, document.markdown, terminal.show_markdown, in_full=in_full)
    if document.diff_from is not None:
        terminal.say()
        terminal.say(f"Changed since version {document.diff_from}, decided on last:", "bold")
        text = document.diff or "(nothing that shows)"
        _show_some(terminal, text, terminal.show_diff, in_full=in_full)


def _show_some(terminal: Terminal, text: str, show: Any, *, in_full: bool) -> None:
    lines = text.split("\n")
    if in_full or len(lines) <= SHOWN_LINES:
        show(text)
        return
    show("\n".join(lines[:SHOWN_LINES]))
    left = len(lines) - SHOWN_LINES
    terminal.say(f"... {left:,} more lines are not shown here; `view` shows all.", "yellow")


def _show_foot(terminal: Terminal, request: HitlRequest, user: Any) -> None:
    _show_thread(terminal, request)
    terminal.say()
    terminal.say(f"subject_digest: {request.subject_digest}", "dim")
    _show_rules(terminal, request)
    if not request.is_pending:
        terminal.say(f"status: {request.status}")
        for decision in request.decisions.select_related("decided_by"):
            _show_decision(terminal, decision)
        return
    terminal.say(f"allowed_actions: {' '.join(allowed_actions(request))}", "dim")
    verdict = can_decide(request, user)
    if not verdict.allowed:
        terminal.say(f"{user.get_username()} cannot decide: {verdict.detail}", "yellow")


def _show_thread(terminal: Terminal, request: HitlRequest) -> None:
    thread = list(request.comments.select_related("author"))
    if thread:
        terminal.say()
    for one in thread:
        who = one.author.get_username()
        terminal.say(f"{one.created_at:%Y-%m-%d %H:%M} {who} says: {one.text}")


def _show_rules(terminal: Terminal, request: HitlRequest) -> None:
    """What is out of the ordinary: several approvals, a time, somebody who is at it."""
    if request.required_approvals > 1:
        terminal.say(f"approvals: {request.approvals} of {request.required_approvals}")
        for decision in (
            request.decisions.select_related("decided_by") if request.is_pending else ()
        ):
            _show_decision(terminal, decision)
    for name in ("due_at", "expires_at", "escalated_at"):
        if time := getattr(request, name):
            terminal.say(f"{name}: {time:%Y-%m-%d %H:%M} UTC")
    if request.is_pending and request.claimant_id(timezone.now()):
        who = request.claimed_by.get_username()
        terminal.say(f"claimed by {who} until {request.claimed_until:%Y-%m-%d %H:%M} UTC")


def _show_decision(terminal: Terminal, decision: Any) -> None:
    comment = f": {decision.comment}" if decision.comment else ""
    who = decision.decided_by.get_username() + (" (past the rules)" * decision.is_break_glass)
    terminal.say(f"{decision.created_at:%Y-%m-%d %H:%M} {who} {decision.action}{comment}")
