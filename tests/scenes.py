"""Bring a project to where a person is asked; the test plays the agent."""

from typing import Any

from agents.models import Task
from agents.protocols import Completed, NeedsPerson, Outcome, Output, PermanentError, Usage
from agents.services import claim_task, fail_attempt, finish_task, request_task
from audit.actors import Actor
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from projects.models import Project
from projects.services import start_project

USAGE = Usage("demo", "rules")
CONTENT = {"summary": "A plan of the run.", "body": "# The plan\n\n1. Ask\n2. Build"}
KINDS = ("plan_approval", "result_approval", "clarification", "escalation", "escalation_of_work")
ALLOWED = {
    "plan_approval": {"approve", "amend", "request_changes", "reject"},
    "result_approval": {"approve", "amend", "request_changes", "reject"},
    "clarification": {"answer", "reject"},
    "escalation": {"amend", "request_changes", "reject"},
    "escalation_of_work": {"approve", "amend", "request_changes", "reject"},
}


def work(**changes: Any) -> Completed:
    return Completed((Output("agent_output", "Run plan", CONTENT | changes),), USAGE)


def failed_work() -> Completed:
    return Completed((Output("agent_output", "Verdict", CONTENT),), USAGE, verdict="fail")


def questions() -> NeedsPerson:
    return NeedsPerson(("Who lends?", "For how long?"), USAGE, "The brief is silent.")


def running(project: Project) -> Project:
    if project.status == "draft":
        start_project(project_id=project.pk, actor=Actor.of_user(project.created_by))
    advance_project(project.pk)
    return Project.objects.get(pk=project.pk)


def pending_task(project: Project) -> Task:
    return Task.objects.get(project=project, status="pending", is_current=True)


def finish(task: Task, outcome: Outcome) -> HitlRequest:
    """The agent returns the outcome; the request that the engine opens for it."""
    finish_task(claim=claim_task(task_id=task.pk, worker="test:1:1"), outcome=outcome)
    advance_project(task.project_id)
    return HitlRequest.objects.pending().get(task=task)


def escalated(project: Project) -> HitlRequest:
    task = pending_task(running(project))
    error = PermanentError("no_such_model", "The provider does not know the model.")
    fail_attempt(claim=claim_task(task_id=task.pk, worker="test:1:1"), error=error)
    advance_project(project.pk)
    return HitlRequest.objects.pending().get(task=task)


def side_task(project: Project, **fields: Any) -> Task:
    wanted = {"agent_type": "analyst", "instructions": "Compare two catalogues."} | fields
    actor = Actor.of_user(project.created_by)
    return request_task(actor=actor, project_id=project.pk, **wanted)


def asked(project: Project, kind: str = "plan_approval") -> HitlRequest:
    """A pending request of the kind; `escalation_of_work` is one that shows an artifact."""
    if kind == "result_approval":
        return finish(side_task(project), work())
    if kind == "escalation":
        return escalated(project)
    outcomes = {
        "plan_approval": work,
        "clarification": questions,
        "escalation_of_work": failed_work,
    }
    return finish(pending_task(running(project)), outcomes[kind]())
