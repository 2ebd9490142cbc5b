import json
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from agents.enums import RequestKind, TaskStatus
from agents.events import TASK_CANCELLED, TASK_CREATED, TASK_RETRIED
from agents.models import Task
from agents.queue import enqueue_task_on_commit
from agents.services.claims import give_up
from audit.actors import Actor
from context.models import Artifact
from context.selectors import brief_of
from core import sql
from core.errors import Conflict, InvalidInput
from core.text import is_storable
from projects import hooks
from projects.access import MANAGE
from projects.agent_types import agent_types
from projects.enums import OversightLevel, ProjectStatus
from projects.floor import installation_floor
from projects.models import Project
from projects.quotas import check_quota
from projects.transaction import ProjectOf, ProjectTransaction

INSTRUCTIONS_MAX_LENGTH = 20_000
CANCELLED = ["status", "waits_for", "lease_expires_at", "fence", "finished_at", "result"]
REQUEUED = [*CANCELLED, "failures", "crashes", "run_after", "enqueued_at"]
DIGESTS = """(
    SELECT json_object_agg(number, sha256) FROM context_artifact_versions
    WHERE artifact_id = context_artifacts.id AND (
        number IN (context_artifacts.version, context_artifacts.accepted_version)
        OR context_artifacts.artifact_type = 'user_input'))"""
ACCEPTS_TASKS = {ProjectStatus.DRAFT, ProjectStatus.ACTIVE, ProjectStatus.PAUSED}


def create_task(tx: ProjectTransaction, **fields: Any) -> Task:
    """A new task, in the queue once the transaction has committed."""
    task = Task(project=tx.project, **fields)
    task.assignment_sha256 = task.assignment_digest
    task.created_at, task.run_after = sql.fetch_one(
        "create_task",
        id=task.pk,
        project=tx.project.pk,
        agent_type=str(task.agent_type),
        title=task.title,
        instructions=task.instructions,
        step=task.step,
        phase=str(task.phase),
        round=task.round,
        gate=str(task.gate),
        escalates_on_fail=task.escalates_on_fail,
        handoff=json.dumps(task.handoff),
        answers=json.dumps(task.answers),
        assignment_sha256=task.assignment_sha256,
        created_by=task.created_by_id,
    )
    task.enqueued_at = task.run_after
    sql.mark_saved(task)
    tx.record(
        TASK_CREATED,
        task=task,
        agent_type=task.agent_type,
        title=task.title,
        step=task.step,
        phase=task.phase,
        round=task.round,
        assignment_sha256=task.assignment_sha256,
        workflow_sha256=task.handoff.get("definition_hash", ""),
    )
    tx.created_tasks.append(task.pk)
    enqueue_task_on_commit(task.pk)
    return task


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
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        project = tx.project
        if project.status not in ACCEPTS_TASKS:
            detail = f"A project that is {project.status} takes no new tasks."
            raise Conflict("invalid_transition", detail)
        if agent_type not in agent_types:
            detail = f"There is no such agent type. Use one of: {', '.join(agent_types.values)}."
            raise InvalidInput.of("agent_type", "invalid_choice", detail)
        if not instructions.strip() or not is_storable(instructions):
            raise InvalidInput.of("instructions", "blank", "Say in plain text what is to be done.")
        if len(instructions) > INSTRUCTIONS_MAX_LENGTH:
            detail = f"Shorten the instructions to at most {INSTRUCTIONS_MAX_LENGTH:,} characters."
            raise InvalidInput.of("instructions", "max_length", detail)
        _check_quota(actor.user)
        oversight = installation_floor().oversight(project.oversight_level)
        needs_approval = oversight != OversightLevel.LOW
        return create_task(
            tx,
            agent_type=agent_type,
            title=instructions.strip().splitlines()[0][:80],
            instructions=instructions,
            gate=RequestKind.RESULT_APPROVAL if needs_approval else "",
            handoff=_handoff(project, agent_type, instructions, context_ids or []),
            created_by=actor.user,
        )


def _check_quota(person: Any) -> None:
    """Of what this person has asked for beside the workflow. Raises Conflict `quota_exceeded`."""
    limit = settings.OPEN_TASKS_PER_USER
    if person is None or not limit:
        return
    count = lambda: Task.objects.filter(created_by=person, step="").open().count() + 1  # noqa: E731
    check_quota(
        person,
        limit,
        count(),
        count,
        f"You have asked for {limit:,} tasks that are not done, which is as many as a person may "
        "have here. Wait, cancel some, or ask an operator to raise OPEN_TASKS_PER_USER.",
    )


def _handoff(project: Project, agent_type: str, instructions: str, ids: list[UUID]) -> dict:
    artifacts = with_digests(Artifact.objects.filter(project=project, pk__in=ids)).in_bulk()
    if unknown := [str(pk) for pk in ids if pk not in artifacts]:
        detail = f"Not an artifact of this project: {', '.join(unknown)}."
        raise InvalidInput.of("context_ids", "does_not_exist", detail)
    undecided = [str(a.pk) for a in artifacts.values() if a.accepted_version is None]
    if undecided:
        detail = f"No version is accepted yet of: {', '.join(undecided)}. Decide on it first."
        raise InvalidInput.of("context_ids", "not_accepted", detail)
    brief = brief_of(project)
    pinned = {"brief": version_reference(brief, brief.accepted_version)} if brief else {}
    versions = [(artifacts[pk], artifacts[pk].accepted_version) for pk in ids]
    return pinned | {
        "sha256": dict(pinned_digest(artifact, number) for artifact, number in versions),
        "agent_type": agent_type,
        "instructions": instructions,
        "expected_outputs": ["agent_output"],
        "materials": [material_reference(artifact, number) for artifact, number in versions],
        "feedback": [],
    }


def with_digests(artifacts: QuerySet[Artifact]) -> QuerySet[Artifact]:
    """Each with `digests`: the SHA-256 of its versions by their numbers, as text."""
    return artifacts.annotate(digests=RawSQL(DIGESTS, []))  # noqa: S611 - a constant


def pinned_digest(artifact: Artifact, version: int) -> tuple[str, str]:
    """The entry of a version in a handoff's `sha256`. The artifact comes of `with_digests`."""
    return digest_key(artifact.pk, version), artifact.digests[str(version)]


def digest_key(artifact: UUID | str, version: int) -> str:
    return f"{artifact}/{version}"


def version_reference(artifact: Artifact, version: int) -> dict[str, Any]:
    """A version by its number, never as "the latest"."""
    return {"artifact": str(artifact.pk), "version": version}


def material_reference(artifact: Artifact, version: int) -> dict[str, Any]:
    """A version as a material of a handoff, and who made it."""
    return version_reference(artifact, version) | {
        "artifact_type": artifact.artifact_type,
        "title": artifact.title,
        "from_agent": artifact.source_agent,
        "from_step": artifact.step,
    }


def cancel_task(*, actor: Actor, task_id: UUID) -> Task:
    """Give up a task; a running worker's result is refused.

    Raises Conflict, NotFound, Forbidden.
    """
    with ProjectTransaction(
        ProjectOf("task", task_id), actor, require=MANAGE, missing="task"
    ) as tx:
        task = tx.lock(Task, task_id)
        give_up(task)
        task.result = task.result | {"cancelled_by": actor.name}
        task.save(update_fields=CANCELLED)
        hooks.run("tasks_cancelled", tx, [task])
        tx.record(TASK_CANCELLED, task=task, step=task.step)
        tx.refresh_agent(task.agent_type)
        tx.request_advance()
    return task


def retry_task(*, actor: Actor, task_id: UUID) -> Task:
    """Put a failed or cancelled task back into the queue, or end its wait for the next attempt.

    Raises Conflict, NotFound, Forbidden.
    """
    with ProjectTransaction(
        ProjectOf("task", task_id), actor, require=MANAGE, missing="task"
    ) as tx:
        task = tx.lock(Task, task_id)
        if tx.project.status not in ACCEPTS_TASKS:
            detail = f"The project is {tx.project.status}. Rewind it to a step to continue it."
            raise Conflict("invalid_transition", detail)
        if not task.is_current:
            raise Conflict("invalid_transition", "A later round replaced this task.")
        if task.status == TaskStatus.PENDING and task.failures:
            # It waits for its next attempt, as its provider asked for or after a failure.
            task.run_after = task.enqueued_at = Now()
            task.save(update_fields=["run_after", "enqueued_at"])
            enqueue_task_on_commit(task.pk)
            tx.record(TASK_RETRIED, task=task, step=task.step, by_hand=True, cause="tried_again")
            return task
        if task.status not in {TaskStatus.FAILED, TaskStatus.CANCELLED}:
            detail = (
                f"The task is {task.status}; only one that failed, was cancelled, or waits for its "
                "next attempt can be retried."
            )
            if task.waits_for == RequestKind.ESCALATION:
                detail += " Decide on its request: try_again."
            raise Conflict("invalid_transition", detail, task_status=task.status)
        if {"changes_requested", "rejected", "expired"} & set(task.result):
            # Also before the engine has acted on the decision.
            detail = "A decision ended this task. To do the step again, rewind to it."
            raise Conflict("invalid_transition", detail, task_status=task.status)
        requeue(task)
        tx.record(TASK_RETRIED, task=task, step=task.step, by_hand=True)
        tx.refresh_agent(task.agent_type)
    return task


def requeue(task: Task, *changed_fields: str) -> None:
    """Back into the queue with a fresh budget of retries; `changed_fields` are saved too."""
    if changed_fields:
        # What is given is pinned anew. The caller has checked what it changed.
        task.assignment_sha256 = task.assignment_digest
        changed_fields = (*changed_fields, "assignment_sha256")
    task.move(TaskStatus.PENDING)
    task.failures, task.crashes, task.fence = 0, 0, task.fence + 1
    task.finished_at, task.result = None, {}
    task.run_after = task.enqueued_at = Now()
    task.save(update_fields=[*REQUEUED, *changed_fields])
    enqueue_task_on_commit(task.pk)
