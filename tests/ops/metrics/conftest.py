import pytest

from agents.worker.run import run
from audit.actors import Actor
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from projects.services import start_project
from tests.probes import closed_port, fresh_checks, report, silent_port, stopwatch

__all__ = ["closed_port", "fresh_checks", "report", "silent_port", "stopwatch"]


@pytest.fixture
def asked(make_project, owner):
    """A project whose first result waits for a person, and what was counted on the way."""
    project = make_project()
    start_project(project_id=project.pk, actor=Actor.of_user(owner))
    advance_project(project.pk)
    task = project.tasks.get()
    run(task_id=task.pk, worker="test")
    advance_project(project.pk)
    return HitlRequest.objects.get(project=project)
