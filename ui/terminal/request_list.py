import json
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.timesince import timesince

from core.text import one_line
from hitl.models import HitlRequest
from hitl.rules import allowed_actions, can_decide
from projects.models import Project
from ui.terminal.console import Terminal
from ui.terminal.documents import documents_of

LIST_MAX = 200


def list_requests(
    terminal: Terminal, user: Any, *, project: str | None, is_all: bool, as_json: bool
) -> None:
    requests = HitlRequest.objects.visible_to(user).select_related("project")
    if not is_all:
        requests = requests.pending()
    if project:
        requests = requests.filter(project=visible_project(user, project))
    newest = list(requests.order_by("-created_at", "-id")[: LIST_MAX + 1])
    if as_json:
        _write_lines(terminal, newest[:LIST_MAX])
        return
    for request in newest[:LIST_MAX]:
        _show_line(terminal, request)
    if not newest:
        terminal.say("There is no request." if is_all else "Nothing waits for a decision.")
    if len(newest) > LIST_MAX:
        terminal.say(f"Only the newest {LIST_MAX} are shown. Choose a project with --project ID.")


def write_request(terminal: Terminal, request: HitlRequest, user: Any) -> None:
    """The request with all that it shows, as one JSON object."""
    whole = _summary(request) | {
        "allowed_actions": allowed_actions(request),
        "can_decide": can_decide(request, user).as_dict(),
        "subject": request.subject,
        "documents": [
            {"title": one.title, "version": one.version, "content": one.content, "diff": one.diff}
            for one in documents_of(request)
        ],
    }
    terminal.write(json.dumps(whole))


def _write_lines(terminal: Terminal, requests: list[HitlRequest]) -> None:
    for request in requests:
        terminal.write(json.dumps(_summary(request)))


def visible_project(user: Any, text: str) -> UUID:
    try:
        project_id = UUID(text)
    except ValueError as error:
        raise CommandError(f"{one_line(text)!r} is not the id of a project.") from error
    if not Project.objects.visible_to(user).filter(pk=project_id).exists():
        raise CommandError("There is no such project, or you may not see it.")
    return project_id


def _show_line(terminal: Terminal, request: HitlRequest) -> None:
    age = timesince(request.created_at, timezone.now(), depth=1).replace("\xa0", " ")
    terminal.say(
        f"{request.pk}  {request.status:<8}  {request.kind:<15}  "
        f"{age} ago  {one_line(request.project.name)}: {one_line(request.title)}"
    )


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
        "expires_at": request.expires_at.isoformat() if request.expires_at else None,
        "created_at": request.created_at.isoformat(),
    }
