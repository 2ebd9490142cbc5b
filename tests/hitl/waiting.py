"""Requests for a person, made by an agent's outcomes."""

from agents.models import Task
from agents.protocols import Completed, NeedsPerson, Outcome, Output, PermanentError, Usage
from agents.services import claim_task, fail_attempt, finish_task
from audit.actors import Actor
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from projects.models import Project
from projects.services import start_project

USAGE = Usage("demo", "rules")


def plan(body: str = "First ask, then build.", title: str = "Run plan") -> Completed:
    content = {"summary": "A plan of the run.", "body": body}
    return Completed((Output("agent_output", title, content),), USAGE)


def question(text: str = "Who lends?") -> NeedsPerson:
    return NeedsPerson((text,), USAGE)


def ask(project: Project, outcome: Outcome) -> HitlRequest:
    """The agent whose turn it is returns the outcome; the request that follows."""
    _start(project)
    finish_task(claim=_claim(project), outcome=outcome)
    return _asked(project)


def escalate(project: Project, code: str, detail: str) -> HitlRequest:
    _start(project)
    fail_attempt(claim=_claim(project), error=PermanentError(code, detail))
    return _asked(project)


def _start(project: Project) -> None:
    project.refresh_from_db()
    if project.status == "draft":
        start_project(project_id=project.pk, actor=Actor.of_user(project.created_by))
    advance_project(project.pk)


def _claim(project: Project):
    task = Task.objects.get(project=project, status="pending", is_current=True)
    return claim_task(task_id=task.pk, worker="test:1:1")


def _asked(project: Project) -> HitlRequest:
    advance_project(project.pk)
    return HitlRequest.objects.pending().get(project=project)
