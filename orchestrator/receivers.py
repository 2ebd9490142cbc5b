"""Where the layers below meet the engine. Receivers mark, ring and close; they decide nothing."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.dispatch import receiver

from agents.agent_status import open_board
from agents.enums import TaskStatus
from agents.models import Task
from agents.services import cancel_open_tasks
from agents.signals import task_stopped
from audit.actors import Actor
from audit.services import record_all
from context.models import Artifact
from context.signals import artifact_changed
from core.errors import InvalidInput
from hitl.models import HitlRequest
from hitl.services import cancel_requests, keep_clocks
from hitl.signals import request_decided, request_timed_out
from orchestrator.engine.definition import available_definitions
from orchestrator.engine.ring import ring_engine
from projects.models import Project
from projects.services import ask_for_attention
from projects.signals import project_changed, project_created, project_stopped, workflow_chosen


def call_engine(project_id: UUID) -> None:
    """Mark the project, and ring once the mark is there to be seen."""
    ask_for_attention(project_id)
    transaction.on_commit(lambda: ring_engine(project_id), robust=True)


@receiver(project_created, sender=Project)
def open_the_board(project: Project, **kwargs: Any) -> None:
    open_board(project.pk)


@receiver(workflow_chosen, sender=Project)
def refuse_unknown_workflow(project: Project, **kwargs: Any) -> None:
    if project.workflow not in available_definitions():
        detail = f"There is no such workflow. Use one of: {', '.join(available_definitions())}."
        raise InvalidInput.of("workflow", "does_not_exist", detail)


@receiver(project_changed, sender=Project)
def look_at_project(project: Project, **kwargs: Any) -> None:
    keep_clocks(project)
    call_engine(project.pk)


@receiver(project_stopped, sender=Project)
def close_what_is_open(project: Project, actor: Actor, **kwargs: Any) -> None:
    unfinished = list(Task.objects.filter(project=project).open())
    drafts = cancel_requests(tasks=unfinished, actor=actor)
    if drafts := [*drafts, *cancel_open_tasks(project, actor)]:
        record_all(project.pk, drafts)


@receiver(task_stopped, sender=Task)
def look_after_task(task: Task, **kwargs: Any) -> None:
    if task.status == TaskStatus.CANCELLED and (
        drafts := cancel_requests(tasks=[task], actor=Actor.of_system("engine"))
    ):
        record_all(task.project_id, drafts)
    call_engine(task.project_id)


@receiver(request_timed_out, sender=HitlRequest)
@receiver(request_decided, sender=HitlRequest)
def look_after_decision(request: HitlRequest, **kwargs: Any) -> None:
    call_engine(request.project_id)


@receiver(artifact_changed, sender=Artifact)
def look_after_artifact(artifact: Artifact, **kwargs: Any) -> None:
    call_engine(artifact.project_id)
