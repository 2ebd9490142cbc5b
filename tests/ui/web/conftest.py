"""A project that waits for a person, and the staff who use the admin."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from audit.actors import Actor
from hitl.models import HitlRequest
from projects.models import Project
from projects.services import start_project
from tests.scenes import agent_returns, work


@pytest.fixture
def staff_members(owner: User, approver: User, viewer: User, outsider: User) -> None:
    """The whole cast may enter the admin; what they find there is their projects' only."""
    User.objects.filter(pk__in=[u.pk for u in (owner, approver, viewer, outsider)]).update(
        is_staff=True
    )


@pytest.fixture
def running(project: Project, staff_members: None) -> Project:
    return start_project(project_id=project.pk, actor=Actor.of_user(project.created_by))


@pytest.fixture
def plan_request(running: Project) -> HitlRequest:
    return agent_returns(running, work())


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def open_request(client: Client, request: HitlRequest) -> None:
    """Nothing is decided from a list that was not opened."""
    assert client.get(f"/admin/hitl/hitlrequest/{request.pk}/change/").status_code in {200, 404}
