"""Requests on a terminal: the list of them, and all that a decision on one would be about."""

import json
from collections.abc import Callable
from typing import Any

from agents.enums import RequestKind
from context.models import ArtifactVersion
from context.rendering import render_markdown
from core.text import one_line
from hitl.agent_actions.card_text import lines_of
from hitl.models import Decision, HitlRequest
from hitl.presenter import PresentedRequest, PresentedVersion, present_request
from ui.terminal.console import Terminal
from ui.terminal.lookup import visible_project
from ui.wording import label, loosening_text, missing_text, time_since, timestamp

LIST_MAX = 200
# More would scroll away what the person came for; `view` shows all of it.
LINES_MAX = 400
STYLES = {"bad": "red", "warn": "yellow", "head": "bold", "quiet": "dim"}


def list_requests(
    terminal: Terminal, user: Any, *, project: str | None, include_settled: bool, as_json: bool
) -> None:
    requests = HitlRequest.objects.visible_to(user).select_related("project")
    if not include_settled:
        requests = requests.pending()
    if project:
        requests = requests.filter(project=visible_project(user, project))
    newest = list(requests.order_by("-created_at", "-id")[: LIST_MAX + 1])
    for request in newest[:LIST_MAX]:
        if as_json:
            terminal.write(json.dumps(_summary(request)))
            continue
        terminal.say(
            f"{request.pk}  {request.status:<8}  {request.kind:<15}  "
            f"{time_since(request.created_at)} ago  "
            f"{one_line(request.project.name)}: {one_line(request.title)}"
            + (" (rules loosened by one person)" if request.project.policy_loosened_at else "")
        )
    if as_json:
        return
    if not newest:
        nothing = "There are no requests." if include_settled else "No request is waiting."
        terminal.say(nothing)
    if len(newest) > LIST_MAX:
        terminal.say(f"Only the newest {LIST_MAX} are shown. Choose a project with --project ID.")


def _summary(request: HitlRequest) -> dict[str, Any]:
    return {
        "id": str(request.pk),
        "project": str(request.project_id),
        "kind": request.kind,
        "status": request.status,
        "title": request.title,
        "step": request.step,
        "subject_digest": request.subject_digest,
        "required_approvals": request.required_approvals,
        "approvals": request.approvals,
        "needs_reauthentication": request.needs_reauthentication,
        "policy_loosened_at": request.project.policy_loosened_at.isoformat()
        if request.project.policy_loosened_at
        else None,
        "expires_at": request.expires_at.isoformat() if request.expires_at else None,
        "created_at": request.created_at.isoformat(),
    }


def write_request(terminal: Terminal, request: HitlRequest, user: Any) -> None:
    """The request with all that it shows, as one JSON object."""
    presented = present_request(request, user)
    documents = [
        {
            "title": document.artifact.title,
            "version": document.version.number,
            "is_intact": document.difference is None,
            "content": document.version.shown_content,
            "diff": diff_text(document),
        }
        for document in presented.contents
    ]
    content = _summary(request) | {
        "allowed_actions": [action.key for action in presented.actions],
        "can_decide": presented.can_decide.as_dict(),
        "integrity": [change.facts | {"detail": change.detail} for change in presented.differences],
        "subject": presented.subject,
        "documents": documents,
    }
    terminal.write(json.dumps(content))


def show_request(terminal: Terminal, request: HitlRequest, user: Any, *, in_full: bool) -> None:
    """Everything that a decision would be about. Long documents are cut unless `in_full`."""
    presented = present_request(request, user)
    subject = presented.subject
    terminal.say()
    terminal.say(request.title, "bold")
    facts = {
        "request": request.pk,
        "project": f"{request.project.name} ({request.project_id})",
        "kind": label(RequestKind(request.kind)),
        "step": f"{request.step or 'none, a separate task'}, round {subject['round']}"
        if presented.card is None
        else "",
        "agent": request.agent_type,
    }
    for name, value in facts.items():
        terminal.say(f"{name}: {value}", "dim")
    for change in presented.differences:
        terminal.say(f"CHANGED BEHIND OUR BACK ({change.code}): {change.detail}", "red")
        terminal.say("Nobody can decide on this request.", "red")
    if subject["reason"]:
        terminal.say(subject["reason"])
    for number, question in enumerate(subject["questions"], 1):
        terminal.say(f"{number}. {question}", "bold cyan")
    if error := subject["error"]:
        terminal.say(f"Error {error.get('code')}: {error.get('detail')}", "red")
    if (card := presented.card) is not None:
        for line in lines_of(card, timestamp):
            put = terminal.write if line.is_block else terminal.say
            put(line.text, STYLES.get(line.tone, ""))
        if card.action.response_schema and card.action.is_pending:
            terminal.say("an answer is JSON or YAML by this schema of the agent:", "bold")
            terminal.say(json.dumps(card.action.response_schema, indent=2, ensure_ascii=False))
    if subject.get("verdict") == "fail":
        terminal.say("The agent's verdict on this result is: fail", "red")

    for document in presented.contents:
        terminal.say()
        terminal.say(_caption(document), "bold cyan")
        _show_text(terminal, markdown_of(document.version), terminal.show_markdown, in_full=in_full)
        if document.is_comparable:
            terminal.say()
            terminal.say(f"Changed since version {document.last_decided.number}:", "bold")
            diff = diff_text(document) or "(no visible change)"
            _show_text(terminal, diff, terminal.show_diff, in_full=in_full)

    if presented.comments:
        terminal.say()
    for comment in presented.comments:
        who = comment.author.get_username()
        terminal.say(f"{timestamp(comment.created_at)} {who} says: {comment.text}")
    _show_foot(terminal, presented)


def whole_text(request: HitlRequest, user: Any) -> str:
    """All documents and differences, for a pager."""
    parts = []
    for document in present_request(request, user).contents:
        parts += [_caption(document), "", markdown_of(document.version), diff_text(document), ""]
    return "\n".join(parts)


def markdown_of(version: ArtifactVersion) -> str:
    if version.difference:
        return f"Not shown. {version.difference.detail}"
    return render_markdown(version.artifact.artifact_type, version.content)


def diff_text(document: PresentedVersion) -> str:
    """From what was last decided; '' where it is the first."""
    if document.diff is None:
        return ""
    texts = [
        file["unified"] or f"{file['path']} has changed, and is too long to compare here"
        for file in document.diff["files"]
    ]
    return "\n".join(text.rstrip("\n") for text in texts)


def maker_of(version: ArtifactVersion) -> str:
    if claims := version.claims:
        verified = "verified" if claims["is_verified"] else "not verified"
        return f"imported, {verified}: said to be by {version.claimed_maker}"
    if version.author is not None:
        return version.author.get_username()
    served_by = ":".join(filter(None, (version.provider, version.model)))
    return f"{version.source_agent}, {served_by}" if served_by else version.source_agent


def _caption(document: PresentedVersion) -> str:
    version = document.version
    return (
        f"{document.artifact.title}, version {version.number} "
        f"({document.artifact.artifact_type} by {maker_of(version)}, SHA-256 {version.sha256[:12]})"
    )


def _show_text(
    terminal: Terminal, text: str, show: Callable[[str], None], *, in_full: bool
) -> None:
    lines = text.split("\n")
    if in_full or len(lines) <= LINES_MAX:
        show(text)
        return
    show("\n".join(lines[:LINES_MAX]))
    left = len(lines) - LINES_MAX
    terminal.say(f"... {left:,} more lines are not shown here; `view` shows all.", "yellow")


def _show_foot(terminal: Terminal, presented: PresentedRequest) -> None:
    """The digest, deadlines and decisions, and what this person can do."""
    request = presented.request
    terminal.say()
    terminal.say(f"subject_digest: {presented.digest}", "dim")
    for loosening in presented.loosenings:
        terminal.say(f"Rules loosened by one person alone: {loosening_text(loosening)}", "red")
    if missing := missing_text(presented):
        terminal.say(missing, "red")
    if request.needs_reauthentication and request.is_pending:
        terminal.say("The policy asks for your password again, so decide in the browser.", "yellow")
    if request.required_approvals > 1:
        terminal.say(f"approvals: {request.approvals} of {request.required_approvals}")
    for name in ("due_at", "expires_at", "escalated_at"):
        if moment := getattr(request, name):
            terminal.say(f"{name}: {timestamp(moment)}")
    if presented.claimant:
        until = timestamp(request.claimed_until)
        terminal.say(f"claimed by {presented.claimant.get_username()} until {until}")
    if not request.is_pending:
        terminal.say(f"status: {request.status}")
    for decision in presented.decisions:
        terminal.say(_decision_line(decision))
    if not request.is_pending:
        return
    keys = [action.key for action in presented.actions]
    terminal.say(f"allowed_actions: {' '.join(keys)}", "dim")
    if not presented.can_decide.allowed:
        who = presented.user.get_username()
        terminal.say(f"{who} cannot decide: {presented.can_decide.detail}", "yellow")


def _decision_line(decision: Decision) -> str:
    comment = f": {decision.comment}" if decision.comment else ""
    mark = " (against the rules)" if decision.is_break_glass else ""
    who = decision.who
    if decision.loosenings:
        mark += " (rules loosened by one person)"
    if decision.assurance:
        mark += f" [{decision.assurance}]"
    return f"{timestamp(decision.created_at)} {who}{mark}: {label(decision.action)}{comment}"
