import json
import random
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from agents.enums import AttemptOutcome, RequestKind, TaskStatus
from agents.events import TASK_COMPLETED, TASK_DELAYED, TASK_PROGRESS, TASK_RETRIED
from agents.metrics import count_retry
from agents.models import Task
from agents.protocols import (
    Completed,
    NeedsApproval,
    Outcome,
    TransientError,
    Usage,
    WorkError,
)
from agents.services.claims import (
    Claim,
    claim_created_task,
    close_attempt,
    end_of_attempt,
    lock_claimed,
)
from agents.workspace import keep_files
from audit.actors import Actor
from audit.events import SYSTEM_ERROR, SYSTEM_WARNING
from context.enums import DerivationKind, Form
from context.models import Artifact, ArtifactVersion, ContextBuild
from context.services import Source, record_version, store_output
from context.types.agent_output import AGENT_OUTPUT
from core import sql
from core.errors import InvalidInput
from core.text import is_storable
from projects.integrity import INTEGRITY
from projects.transaction import ProjectTransaction

# A provider that asks for more has people told.
LONG_WAIT_SECONDS = 300.0

RESULT = [
    "status",
    "waits_for",
    "lease_expires_at",
    "fence",
    "failures",
    "crashes",
    "run_after",
    "enqueued_at",
    "result",
    "finished_at",
]


def finish_task(*, claim: Claim, outcome: Outcome) -> bool:
    """Record what the agent returned; False, and nothing is written, when the lease was lost.

    Raises InvalidInput or TooLarge for content that does not fit its type.
    """
    with ProjectTransaction(claim.task.project_id, Actor.of_agent(claim.task.agent_type)) as tx:
        task = lock_claimed(tx, claim)
        if task is None:
            return False
        if isinstance(outcome, Completed):
            _complete(tx, task, outcome)
            _end_work(tx, task, AttemptOutcome.COMPLETED, outcome.usage)
            return True
        if isinstance(outcome, NeedsApproval):
            task.wait_for(RequestKind.ACTION_APPROVAL)
            task.result = {"call": asdict(outcome.call) | {"run": outcome.run}}
            tx.record(TASK_PROGRESS, task=task, step=task.step, waits_for=task.waits_for)
            _end_work(tx, task, AttemptOutcome.NEEDS_PERSON, outcome.usage)
            return True
        if not all(is_storable(text) for text in (*outcome.questions, outcome.reason)):
            raise InvalidInput.of("questions", "binary", "The questions are not plain text.")
        task.wait_for(RequestKind.CLARIFICATION)
        task.result = {"questions": list(outcome.questions), "reason": outcome.reason}
        tx.record(TASK_PROGRESS, task=task, step=task.step, questions=len(outcome.questions))
        _end_work(tx, task, AttemptOutcome.NEEDS_PERSON, outcome.usage)
    return True


def fail_attempt(*, claim: Claim, error: WorkError) -> bool:
    """Plan another try, or wait for a person; False when the lease was lost."""
    with ProjectTransaction(claim.task.project_id, Actor.of_agent(claim.task.agent_type)) as tx:
        task = lock_claimed(tx, claim)
        if task is None:
            return False
        is_transient = isinstance(error, TransientError)
        close_attempt(
            task,
            AttemptOutcome.TRANSIENT_ERROR if is_transient else AttemptOutcome.PERMANENT_ERROR,
            error_code=error.code,
            error_detail=error.detail,
            usage=error.usage,
        )
        task.failures += 1
        delays = settings.TASK_RETRY_DELAYS_SECONDS
        if not is_transient or task.failures > len(delays):
            escalate(tx, task, error.code, error.detail, shown=error.shown, **error.facts)
            return True
        # Up to a quarter more, so that tasks that failed together do not return together.
        jitter = 1 + random.random() / 4  # noqa: S311 - no secret
        wait = max(delays[task.failures - 1], error.retry_after or 0) * jitter
        task.move(TaskStatus.PENDING)
        task.run_after, task.enqueued_at = Now() + timedelta(seconds=wait), None
        task.save(update_fields=RESULT)
        data = {"code": error.code, "detail": error.detail, "delay_ms": round(wait * 1000)}
        tx.record(TASK_RETRIED, task=task, step=task.step, attempt=task.attempt, **data)
        if wait > LONG_WAIT_SECONDS:
            # To people it would look like work that goes on.
            task.refresh_from_db(fields=["run_after"])
            data["next_attempt_at"] = task.run_after.isoformat(timespec="seconds")
            tx.record(TASK_DELAYED, task=task, step=task.step, attempt=task.attempt, **data)
        tx.refresh_agent(task.agent_type)
        tx.on_commit(lambda: count_retry(task.agent_type, "transient_error"))
    return True


def escalate(
    tx: ProjectTransaction,
    task: Task,
    code: str,
    detail: str,
    *,
    shown: Mapping[str, Any] | None = None,
    **facts: Any,
) -> None:
    """Stop and wait for a person. `shown` is for them, `facts` are for the log."""
    task.wait_for(RequestKind.ESCALATION)
    task.result = {"error": {"code": code, "detail": detail, **(shown or {})}}
    data = {"code": code, "detail": detail, "step": task.step, "attempt": task.attempt}
    tx.record(SYSTEM_ERROR if code == INTEGRITY else SYSTEM_WARNING, task=task, **data | facts)
    task.save(update_fields=RESULT)
    tx.refresh_agent(task.agent_type)
    tx.request_advance()


def escalate_waiting(tx: ProjectTransaction, task: Task, code: str, detail: str) -> None:
    """A task that waits for a decision: people are asked about this error instead."""
    task.waits_for = RequestKind.ESCALATION
    # What was shown can no longer be approved.
    task.result = {"error": {"code": code, "detail": detail}}
    task.save(update_fields=["waits_for", "result"])
    tx.refresh_agent(task.agent_type)
    tx.request_advance()


def _complete(tx: ProjectTransaction, task: Task, outcome: Completed) -> None:
    # A step that failed is repeated by the engine, until its rounds are used up.
    waits_for = task.gate
    if outcome.verdict == "fail":
        waits_for = RequestKind.ESCALATION if task.escalates_on_fail else ""
    stored = _store_outputs(task, outcome, is_accepted=not waits_for)
    task.result = {
        "outputs": [output_reference(artifact, version) for artifact, version in stored],
        "verdict": outcome.verdict,
        "notes": outcome.notes,
        "provider": outcome.usage.provider,
        "model": outcome.usage.model,
    }
    for artifact, version in stored:
        record_version(tx, artifact, version)
    if outcome.files:
        keep_files(task, outcome.files)
    data = {"step": task.step, "round": task.round, "verdict": outcome.verdict}
    if waits_for:
        task.wait_for(waits_for)
        tx.record(TASK_PROGRESS, task=task, waits_for=str(waits_for), **data)
        return
    task.move(TaskStatus.COMPLETED)
    tx.record(TASK_COMPLETED, task=task, **data)


def _store_outputs(
    task: Task, outcome: Completed, *, is_accepted: bool
) -> list[tuple[Artifact, ArtifactVersion]]:
    """One after the other, since an output may build on those before it."""
    sources = _sources(task)
    stored = []
    for output in outcome.outputs:
        # A free answer is named after the instructions.
        is_free = output.artifact_type == AGENT_OUTPUT
        artifact, version = store_output(
            project_id=task.project_id,
            step=task.step,
            agent_type=task.agent_type,
            task=task.pk,
            attempt=task.attempt,
            fence=task.fence,
            artifact_type=output.artifact_type,
            title=task.title if is_free and task.title else output.title,
            content=output.content,
            provider=outcome.usage.provider,
            model=outcome.usage.model,
            is_accepted=is_accepted,
            prompt_sha256=output.prompt_sha256,
            sources=[*sources, *(Source(UUID(pk), number) for pk, number in output.sources)],
        )
        sources.append(Source(artifact.pk, version.number))
        stored.append((artifact, version))
    return stored


def _sources(task: Task) -> list[Source]:
    """The versions of the handoff, and what else of the store the prompt showed."""
    materials = task.handoff.get("materials", [])
    if task.handoff.get("brief"):
        # Every prompt shows the brief, whether the step asks for it or not.
        materials = [task.handoff["brief"], *materials]
    sources = []
    for material in materials:
        kind = DerivationKind.REVISED if material.get("revises") else DerivationKind.USED
        sources.append(Source(UUID(material["artifact"]), material["version"], kind))
    if task.handoff.get("context"):
        builds = ContextBuild.objects.filter(task=task.pk, fence=task.fence)
        sources += [
            Source(UUID(item["artifact"]), item["version"])
            for items in builds.values_list("items", flat=True)
            for item in items
            if item["artifact"] and item["form"] != Form.DROPPED
        ]
    # A build lists the materials once more; the first entry counts, which knows what is revised.
    by_version = {(source.artifact, source.version): source for source in reversed(sources)}
    return list(by_version.values())[::-1]


def output_reference(artifact: Artifact, version: ArtifactVersion) -> dict[str, Any]:
    return {
        "artifact": str(artifact.pk),
        "artifact_type": artifact.artifact_type,
        "title": artifact.title,
        "version": version.number,
        "sha256": version.sha256,
    }


def _end_work(
    tx: ProjectTransaction, task: Task, outcome: AttemptOutcome, usage: Usage | None
) -> None:
    """Save the end of an attempt that brought something; the engine decides what comes next."""
    (task.finished_at,) = sql.fetch_one(
        "end_work",
        **end_of_attempt(task, outcome, usage),
        error_code="",
        error_detail="",
        status=str(task.status),
        waits_for=task.waits_for,
        result=json.dumps(task.result),
    )
    tx.refresh_agent(task.agent_type)
    tx.request_advance()
    tx.after_advance(lambda: claim_created_task(tx, task.worker))
