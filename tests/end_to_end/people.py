"""What people do while the agents work, through the services that every door uses."""

from typing import Any

from django.contrib.auth.models import User

from audit.actors import Actor
from hitl.models import HitlRequest
from hitl.services import decide
from projects.models import Project
from projects.services import create_project
from tests.live import eventually

OVER = {"completed", "failed", "cancelled"}


def hand_in(owner: User, brief: str, **fields: Any) -> Project:
    return create_project(actor=Actor.of_user(owner), name="A project", brief=brief, **fields)


def asked(project: Project) -> HitlRequest | None:
    return HitlRequest.objects.pending().filter(project=project).first()


def say(request: HitlRequest, person: User, action: str, **said: Any) -> None:
    decide(
        request_id=request.pk,
        actor=Actor.of_user(person),
        action=action,
        subject_digest=request.subject_digest,
        channel="test",
        **said,
    )


def approve_all(project: Project, person: User) -> str:
    """Approve whatever is asked, until the project is over; its last status."""

    def is_over() -> bool:
        if request := asked(project):
            say(request, person, "approve")
        project.refresh_from_db()
        return project.status in OVER

    eventually(is_over)
    return project.status
