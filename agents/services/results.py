import random
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from agents.enums import AttemptOutcome, RequestKind, TaskStatus
from agents.events import TASK_COMPLETED, TASK_PROGRESS, TASK_RETRIED
from agents.metrics import count_retry
from agents.models import Task
from agents.protocols import (
    Completed,
    NeedsPerson,
    Outcome,
    Output,
    TransientError,
    Usage,
    WorkError,
)
from agents.services.claims import Claim, close_attempt, lock_claimed
from audit.actors import Actor
from audit.events import SYSTEM_WARNING
from context.enums import DerivationKind, Form
from context.models import Artifact, ArtifactVersion, ContextBuild
from context.services import Source, record_version, store_output
from context.types.agent_output import AGENT_OUTPUT
from core.errors import InvalidInput
from core.sql import update_row
from core.text import is_storable
from projects.transaction import ProjectTransaction

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
    """Record what the agent returned; False when the lease was lost, and then nothing is written.

    Raises InvalidInput or TooLarge for content that does not fit its type.
    """
    with ProjectTransaction(claim.task.project_id, Actor.of_agent(claim.task.agent_type)) as tx:
        task = lock_claimed(tx, claim)
        if task is None:
            return False
        if isinstance(outcome, NeedsPerson):
            _ask(tx, task, outcome)
        else:
            _deliver(tx, task, outcome)
        _stop(tx, task)
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
            **_usage_fields(error.usage),
        )
        task.failures += 1
        delays = settings.TASK_RETRY_DELAYS_SECONDS
        if is_transient and task.failures <= len(delays):
            _plan_retry(tx, task, delays[task.failures - 1], error)
        else:
            escalate(tx, task, error.code, error.detail)
    return True


def escalate(tx: ProjectTransaction, task: Task, code: str, detail: str) -> None:
    """Stop and wait for a person."""
    task.wait_for(RequestKind.ESCALATION)
    task.result = {"error": {"code": code, "detail": detail}}
    data = {"code": code, "detail": detail, "step": task.step, "attempt": task.attempt}
    tx.record(SYSTEM_WARNING, task=task, **data)
    _stop(tx, task)


def _ask(tx: ProjectTransaction, task: Task, outcome: NeedsPerson) -> None:
    if not all(is_storable(text) for text in (*outcome.questions, outcome.reason)):
        raise InvalidInput.of("questions", "binary", "The questions are not plain text.")
    close_attempt(task, AttemptOutcome.NEEDS_PERSON, **_usage_fields(outcome.usage))
    task.wait_for(RequestKind.CLARIFICATION)
    task.result = {"questions": list(outcome.questions), "reason": outcome.reason}
    questions = len(outcome.questions)
    tx.record(TASK_PROGRESS, task=task, step=task.step, questions=questions)


def _deliver(tx: ProjectTransaction, task: Task, outcome: Completed) -> None:
    close_attempt(task, AttemptOutcome.COMPLETED, **_usage_fields(outcome.usage))
    # A failed verdict loops back until its rounds are used up.
    waits_for = task.gate
    if outcome.verdict == "fail":
        waits_for = RequestKind.ESCALATION if task.escalates_on_fail else ""
    stored = _store_all(task, outcome, not waits_for)
    task.result = {
        "outputs": [output_reference(artifact, version) for artifact, version in stored],
        "verdict": outcome.verdict,
        "notes": outcome.notes,
        "provider": outcome.usage.provider,
        "model": outcome.usage.model,
    }
    for artifact, version in stored:
        record_version(tx, artifact, version)
    data = {"step": task.step, "round": task.round, "verdict": outcome.verdict}
    if waits_for:
        task.wait_for(waits_for)
        tx.record(TASK_PROGRESS, task=task, waits_for=str(waits_for), **data)
        return
    task.move(TaskStatus.COMPLETED)
    task.finished_at = Now()
    tx.record(TASK_COMPLETED, task=task, **data)


def _store_all(
    task: Task, outcome: Completed, is_accepted: bool
) -> list[tuple[Artifact, ArtifactVersion]]:
    """One after the other, for a later output may build on those before it."""
    sources = _sources(task)
    stored = []
    for output in outcome.outputs:
        artifact, version = _store(task, output, outcome.usage, is_accepted, sources)
        sources.append(Source(artifact.pk, version.number))
        stored.append((artifact, version))
    return stored


def _sources(task: Task) -> list[Source]:
    """What was handed over, and what else of the store the agent got to see."""
    # Every prompt shows the brief, whether the step asks for it or not.
    brief = [task.handoff["brief"]] if task.handoff.get("brief") else []
    sources = [_source(one) for one in [*brief, *task.handoff.get("materials", [])]]
    if task.handoff.get("context"):
        builds = ContextBuild.objects.filter(task=task.pk, fence=task.fence)
        for items in builds.values_list("items", flat=True):
            seen = [one for one in items if one["artifact"] and one["form"] != Form.DROPPED]
            sources += [Source(UUID(one["artifact"]), one["version"]) for one in seen]
    # The build lists once more what was handed over; what is to be revised is not also used.
    return list({(one.artifact, one.version): one for one in reversed(sources)}.values())[::-1]


def _source(material: dict[str, Any]) -> Source:
    kind = DerivationKind.REVISED if material.get("revises") else DerivationKind.USED
    return Source(UUID(material["artifact"]), material["version"], kind)


def _store(
    task: Task, output: Output, usage: Usage, is_accepted: bool, sources: list[Source]
) -> tuple[Artifact, ArtifactVersion]:
    return store_output(
        project_id=task.project_id,
        step=task.step,
        agent_type=task.agent_type,
        task=task.pk,
        attempt=task.attempt,
        fence=task.fence,
        artifact_type=output.artifact_type,
        title=_title(task, output),
        content=output.content,
        provider=usage.provider,
        model=usage.model,
        is_accepted=is_accepted,
        prompt_sha256=output.prompt_sha256,
        sources=sources,
    )


def _title(task: Task, output: Output) -> str:
    """A free answer is named after what was asked for."""
    is_free = output.artifact_type == AGENT_OUTPUT
    return task.title if is_free and task.title else output.title


def output_reference(artifact: Artifact, version: ArtifactVersion) -> dict[str, Any]:
    return {
        "artifact": str(artifact.pk),
        "artifact_type": artifact.artifact_type,
        "title": artifact.title,
        "version": version.number,
        "sha256": version.sha256,
    }


def _plan_retry(tx: ProjectTransaction, task: Task, delay: float, error: WorkError) -> None:
    # Up to a quarter more, so that tasks that failed together do not return together.
    wait = max(delay, getattr(error, "retry_after", None) or 0) * (1 + random.random() / 4)  # noqa: S311 - jitter, no secret
    task.move(TaskStatus.PENDING)
    task.run_after, task.enqueued_at = Now() + timedelta(seconds=wait), None
    task.save(update_fields=RESULT)
    tx.record(
        TASK_RETRIED,
        task=task,
        step=task.step,
        attempt=task.attempt,
        code=error.code,
        detail=error.detail,
        delay_ms=round(wait * 1000),
    )
    tx.refresh_agent(task.agent_type)
    tx.on_commit(lambda: count_retry(task.agent_type, "transient_error"))


def _stop(tx: ProjectTransaction, task: Task) -> None:
    """The agent is done with it for now; what comes next is the engine's, or a person's."""
    update_row(task, RESULT)
    tx.refresh_agent(task.agent_type)
    tx.request_advance()


def _usage_fields(usage: Usage | None) -> dict:
    return asdict(usage) if usage else {}
