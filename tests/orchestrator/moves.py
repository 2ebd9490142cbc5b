"""Play a run by hand: the engine looks, the test is every agent, and persons decide."""

from typing import Any
from uuid import UUID

from django.contrib.auth.models import User

from agents.models import Task
from agents.protocols import Completed, Outcome, Output
from agents.services import claim_task, finish_task
from audit.actors import Actor
from audit.models import Event
from hitl.models import Decision, HitlRequest
from hitl.services import decide
from orchestrator.engine.advance import advance_project
from orchestrator.engine.definition import definition_hash, parse_definition
from orchestrator.models import WorkflowRun
from projects.models import Project
from projects.services import start_project
from tests.scenes import CONTENT, USAGE

# Two branches that join, and a check that sends one of them back.
BRANCHES = """
name: branches
version: 1
title: Two branches
steps:
  - {id: left, title: Left, phase: design, agent: architect, creates: [agent_output], gate: plan,
     requires: [user_input], instructions: Go left.}
  - {id: right, title: Right, phase: design, agent: analyst, creates: [agent_output], gate: result,
     instructions: Go right.}
  - {id: join, title: Join, phase: build, agent: coder, needs: [left, right],
     requires: [agent_output], revises: [agent_output], creates: [agent_output],
     instructions: Join both.}
  - {id: check, title: Check, phase: validate, agent: tester, needs: [join],
     requires: [agent_output], creates: [agent_output], gate: result, instructions: Check it.,
     on_fail: {rewind_to: join, max_rounds: 3}}
"""


def started(project: Project, text: str = BRANCHES) -> Project:
    """An active project with this workflow pinned to it, looked at once by the engine."""
    definition = parse_definition(text, "test")
    WorkflowRun.objects.create(
        project=project,
        workflow=definition.name,
        definition=definition.to_json(),
        definition_hash=definition_hash(definition),
    )
    start_project(project_id=project.pk, actor=Actor.of_user(project.created_by))
    return look(project)


def look(project: Project) -> Project:
    advance_project(project.pk)
    return Project.objects.get(pk=project.pk)


def current(project: Project, step: str) -> Task:
    return Task.objects.get(project=project, step=step, is_current=True)


def open_steps(project: Project) -> set[str]:
    found = Task.objects.filter(project=project, status="pending", is_current=True)
    return set(found.values_list("step", flat=True))


def text(body: str, artifact_type: str = "agent_output", verdict: str = "") -> Completed:
    content = CONTENT | {"body": body}
    return Completed((Output(artifact_type, "Text", content),), USAGE, verdict=verdict)


def do(project: Project, step: str, outcome: Outcome | None = None) -> Task:
    """The step's agent delivers, and the engine looks."""
    task = current(project, step)
    claim = claim_task(task_id=task.pk, worker="test:1:1")
    assert finish_task(claim=claim, outcome=outcome or text(f"{step} {task.round}"))
    look(project)
    task.refresh_from_db()
    return task


def asked(project: Project, step: str) -> HitlRequest:
    return HitlRequest.objects.pending().get(project=project, step=step)


def say(request: HitlRequest, person: User, action: str, **said: Any) -> Decision:
    """The person decides, and the engine looks."""
    decision = decide(
        request_id=request.pk,
        actor=Actor.of_user(person),
        action=action,
        subject_digest=request.subject_digest,
        channel="test",
        **said,
    )
    advance_project(request.project_id)
    return decision


def handed(task: Task) -> list[tuple[str, int]]:
    """From which step, and which version."""
    return [(one["from_step"], one["version"]) for one in task.handoff["materials"]]


def types(project_id: UUID) -> list[str]:
    events = Event.objects.filter(project=project_id).order_by("sequence")
    return list(events.values_list("event_type", flat=True))
