"""What people do with requests, through the services that every channel uses."""

from typing import Any

from django.contrib.auth.models import User
from django.db import connection

from audit.actors import Actor
from audit.models import Event
from context.models import Artifact
from context.services import add_version
from hitl.models import Decision, HitlRequest
from hitl.services import apply_deadlines, change_policy, decide
from orchestrator.engine.advance import advance_project
from projects.models import Project
from projects.services import add_member
from tests.fixtures import make_user

OWN = {"summary": "My own plan.", "body": "By hand."}
CONTENT = {"amend": OWN, "answer": "Members do, for two weeks."}


def say(user: User, request: HitlRequest, action: str = "approve", **changes: Any) -> Decision:
    fields = {
        "action": action,
        "comment": "Because of the risk.",
        "content": CONTENT.get(action),
        "subject_digest": request.subject_digest,
    }
    fields |= changes
    return decide(request_id=request.pk, actor=Actor.of_user(user), channel="rest", **fields)


def set_policy(project: Project, **changes: Any) -> None:
    owner = project.memberships.filter(role="owner").order_by("created_at").first().user
    change_policy(project_id=project.pk, actor=Actor.of_user(owner), **changes)


def join(project: Project, name: str, role: str = "approver") -> User:
    user = make_user(name)
    add_member(project_id=project.pk, actor=Actor.of_user(project.created_by), user=user, role=role)
    return user


def fresh(item: Any) -> Any:
    return type(item).objects.get(pk=item.pk)


def pending_of(project: Project) -> HitlRequest:
    return HitlRequest.objects.pending().get(project=project)


def upload(user: User, project: Project, content: dict[str, Any] = OWN, **where: Any) -> None:
    """The next version of the only step's artifact by a person, and what the engine does then."""
    artifact = Artifact.objects.get(project=project, **where or {"step": "orchestrate"})
    add_version(actor=Actor.of_user(user), artifact_id=artifact.pk, content=content)
    advance_project(project.pk)


def let_pass(request: HitlRequest, seconds: float) -> None:
    """Move the request's deadlines nearer: for it, so much time has passed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE hitl_requests SET remind_at = remind_at - make_interval(secs => %(by)s),"
            " due_at = due_at - make_interval(secs => %(by)s),"
            " expires_at = expires_at - make_interval(secs => %(by)s),"
            " claimed_until = claimed_until - make_interval(secs => %(by)s) WHERE id = %(id)s",
            {"by": seconds, "id": request.pk},
        )


def time_out(request: HitlRequest, seconds: float = 100_000) -> HitlRequest:
    let_pass(request, seconds)
    apply_deadlines()
    return fresh(request)


def types_of(request: HitlRequest) -> list[str]:
    events = Event.objects.filter(hitl_request=request.pk).order_by("sequence")
    return list(events.values_list("event_type", flat=True))


def event_of(request: HitlRequest, event_type: str) -> Event:
    return Event.objects.get(hitl_request=request.pk, event_type=event_type)


def event_count(project: Project) -> int:
    return Event.objects.filter(project=project.pk).count()
