"""A project that waits for a person, and the staff who use the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from agents.models import Task
from agents.protocols import Completed, NeedsPerson, Outcome, Output, Usage
from agents.services import claim_task, finish_task
from audit.actors import Actor
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from projects.models import Project
from projects.services import start_project

PLAN = {"summary": "A plan of the run.", "body": "# The plan\n\n1. Ask\n2. Build"}


def work_returns(project: Project, outcome: Outcome) -> HitlRequest:
    """The agent whose turn it is returns the outcome; the request that follows."""
    advance_project(project.pk)
    task = Task.objects.get(project=project, status="pending", is_current=True)
    finish_task(claim=claim_task(task_id=task.pk, worker="test:1:1"), outcome=outcome)
    advance_project(project.pk)
    return HitlRequest.objects.pending().get(project=project)


def plan_outcome(title: str = "Run plan", **changes: Any) -> Completed:
    return Completed(
        (Output("agent_output", title, PLAN | changes),),
        Usage("demo", "rules"),
        notes="Two steps are enough here.",
    )


def question_outcome() -> NeedsPerson:
    return NeedsPerson(("Who lends?", "For how long?"), Usage("demo"), "The brief is silent.")


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
    return work_returns(running, plan_outcome())


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
