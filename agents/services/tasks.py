from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now

from agents.agent_status import refresh_board
from agents.enums import TaskStatus, WaitsFor
from agents.models import Task
from agents.ring import ring_on_commit
from agents.services.claims import give_up
from agents.services.locks import lock_task
from agents.signals import task_stopped
from audit.actors import Actor
from audit.enums import EventType
from audit.services import Draft, record_all
from context.briefs import brief_of
from context.models import Artifact
from core.errors import Conflict, InvalidInput
from core.sql import insert_row
from core.text import is_storable
from projects.access import MANAGE, authorize
from projects.enums import AgentType, OversightLevel, ProjectStatus
from projects.models import Project
from projects.services import lock_project

INSTRUCTIONS_MAX_LENGTH = 20_000
ACCEPTS_TASKS = {ProjectStatus.DRAFT, ProjectStatus.ACTIVE, ProjectStatus.PAUSED}


def create_task(*, project: Project, actor: Actor, **fields: Any) -> tuple[Task, list[Draft]]:
    """A new task and the events to record. The caller holds the project's lock."""
    task = Task(project=project, rung_at=Now(), **fields)
    insert_row(task)
    data = {
        "agent_type": task.agent_type,
        "title": task.title,
        "step": task.step,
        "phase": task.phase,
        "round": task.round,
    }
    ring_on_commit(task.pk)
    return task, [Draft(EventType.TASK_CREATED, actor, data, task=task.pk)]


@transaction.atomic
def request_task(
    *,
    actor: Actor,
    project_id: UUID,
    agent_type: str,
    instructions: str,
    context_ids: list[UUID] | None = None,
) -> Task:
    """A single piece of agent work outside of the workflow, on the artifacts of `context_ids`.

    Raises InvalidInput, Conflict, NotFound, Forbidden.
    """
    project = lock_project(project_id)
    authorize(actor, project_id, MANAGE)
    if project.status not in ACCEPTS_TASKS:
        raise Conflict(
            "invalid_transition", f"A project that is {project.status} takes no new tasks."
        )
    _check_instructions(instructions)
    needs_approval = project.oversight_level != OversightLevel.LOW
    task, drafts = create_task(
        project=project,
        actor=actor,
        agent_type=AgentType(agent_type),
        title=instructions.strip().splitlines()[0][:80],
        instructions=instructions,
        gate=WaitsFor.RESULT_APPROVAL if needs_approval else "",
        handoff=_handoff(project, agent_type, instructions, context_ids or []),
        created_by=actor.user,
    )
    record_all(project.pk, drafts)
    return task


def _check_instructions(instructions: str) -> None:
    if not instructions.strip() or not is_storable(instructions):
        raise InvalidInput.of("instructions", "blank", "Say in plain text what is to be done.")
    if len(instructions) > INSTRUCTIONS_MAX_LENGTH:
        detail = f"Shorten the instructions to at most {INSTRUCTIONS_MAX_LENGTH:,} characters."
        raise InvalidInput.of("instructions", "max_length", detail)


def _handoff(project: Project, agent_type: str, instructions: str, ids: list[UUID]) -> dict:
    found = {a.pk: a for a in Artifact.objects.filter(project=project, pk__in=ids)}
    unknown = [str(wanted) for wanted in ids if wanted not in found]
    if unknown:
        detail = f"Not an artifact of this project: {', '.join(unknown)}."
        raise InvalidInput.of("context_ids", "does_not_exist", detail)
    unready = [str(a.pk) for a in found.values() if a.accepted_version is None]
    if unready:
        detail = f"No version of it is accepted yet: {', '.join(unready)}. Decide on it first."
        raise InvalidInput.of("context_ids", "not_accepted", detail)
    brief = brief_of(project)
    pinned = {"brief": version_reference(brief, brief.accepted_version)} if brief else {}
    return pinned | {
        "agent_type": agent_type,
        "instructions": instructions,
        "expected_outputs": ["agent_output"],
        "materials": [
            material_reference(found[wanted], found[wanted].accepted_version) for wanted in ids
        ],
        "feedback": [],
    }


def version_reference(artifact: Artifact, version: int) -> dict[str, Any]:
    """A version by its number, never "the latest"."""
    return {"artifact": str(artifact.pk), "version": version}


def material_reference(artifact: Artifact, version: int) -> dict[str, Any]:
    """What is handed over, and from whom."""
    return version_reference(artifact, version) | {
        "artifact_type": artifact.artifact_type,
        "title": artifact.title,
        "from_agent": artifact.source_agent,
        "from_step": artifact.step,
    }


@transaction.atomic
def cancel_task(*, actor: Actor, task_id: UUID) -> Task:
    """Give up a task; a running worker's result is refused.

    Raises Conflict, NotFound, Forbidden.
    """
    task = lock_task(task_id)
    authorize(actor, task.project_id, MANAGE)
    give_up(task)
    task.result = task.result | {"cancelled_by": actor.name}
    task.save(
        update_fields=["status", "waits_for", "lease_expires_at", "fence", "finished_at", "result"]
    )
    task_stopped.send(Task, task=task)
    draft = Draft(EventType.TASK_CANCELLED, actor, {"step": task.step}, task=task.pk)
    record_all(task.project_id, [draft, *refresh_board(task.project_id, task.agent_type, actor)])
    return task


@transaction.atomic
def retry_task(*, actor: Actor, task_id: UUID) -> Task:
    """Put a failed or cancelled task back into the queue. Raises Conflict, NotFound, Forbidden."""
    task = lock_task(task_id)
    authorize(actor, task.project_id, MANAGE)
    if task.project.status not in ACCEPTS_TASKS:
        detail = f"The project is {task.project.status}: rewind it to a step to take it up again."
        raise Conflict("invalid_transition", detail)
    if not task.is_current:
        raise Conflict("invalid_transition", "A later round took the place of this task.")
    if task.status not in {TaskStatus.FAILED, TaskStatus.CANCELLED}:
        detail = f"The task is {task.status}; only a failed or cancelled task can be retried."
        raise Conflict("invalid_transition", detail, task_status=task.status)
    _check_not_settled(task)
    requeue(task)
    task.save()
    draft = Draft(EventType.TASK_RETRIED, actor, {"step": task.step, "by_hand": True}, task=task.pk)
    record_all(task.project_id, [draft, *refresh_board(task.project_id, task.agent_type, actor)])
    return task


def _check_not_settled(task: Task) -> None:
    """What a person decided stands, also while the engine has not acted on it yet."""
    if {"changes_requested", "rejected", "expired"} & set(task.result):
        detail = "A decision ended this task, and stands. To do the step again, rewind to it."
        raise Conflict("invalid_transition", detail, task_status=task.status)


def requeue(task: Task) -> None:
    """Back into the queue with a fresh budget of retries; rings on commit. Does not save."""
    task.move(TaskStatus.PENDING)
    task.failures, task.crashes, task.fence = 0, 0, task.fence + 1
    task.finished_at, task.result = None, {}
    task.run_after = task.rung_at = Now()
    ring_on_commit(task.pk)
