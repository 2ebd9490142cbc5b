import random
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from agents.agent_status import refresh_board
from agents.enums import AttemptOutcome, TaskStatus, WaitsFor
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
from agents.signals import task_stopped
from audit.actors import Actor
from audit.enums import EventType
from audit.services import Draft, record_all
from context.enums import ArtifactType, DerivationKind, Form
from context.models import Artifact, ArtifactVersion, ContextBuild
from context.services import Source, store_output, version_draft
from core.errors import InvalidInput
from core.sql import update_row
from core.text import is_storable

RESULT = [
    "status",
    "waits_for",
    "lease_expires_at",
    "fence",
    "failures",
    "crashes",
    "run_after",
    "rung_at",
    "result",
    "finished_at",
]


@transaction.atomic
def finish_task(*, claim: Claim, outcome: Outcome) -> bool:
    """Record what the agent returned; False when the lease was lost, and then nothing is written.

    Raises InvalidInput or TooLarge for content that does not fit its type.
    """
    task = _lock_claimed(claim)
    if task is None:
        return False
    actor = Actor.of_agent(task.agent_type)
    if isinstance(outcome, NeedsPerson):
        drafts = _ask(task, outcome, actor)
    else:
        drafts = _deliver(task, outcome, actor)
    _stop(task, actor, drafts)
    return True


@transaction.atomic
def fail_attempt(*, claim: Claim, error: WorkError) -> bool:
    """Plan another try, or wait for a person; False when the lease was lost."""
    task = _lock_claimed(claim)
    if task is None:
        return False
    actor = Actor.of_agent(task.agent_type)
    is_transient = isinstance(error, TransientError)
    outcome = AttemptOutcome.TRANSIENT_ERROR if is_transient else AttemptOutcome.PERMANENT_ERROR
    close_attempt(
        task,
        outcome,
        error_code=error.code,
        error_detail=error.detail,
        **_usage_fields(error.usage),
    )
    task.failures += 1
    delays = settings.TASK_RETRY_DELAYS_SECONDS
    if is_transient and task.failures <= len(delays):
        _plan_retry(task, delays[task.failures - 1], error, actor)
        return True
    escalate(task, error.code, error.detail, actor)
    return True


def escalate(task: Task, code: str, detail: str, actor: Actor) -> None:
    """Stop and wait for a person. The caller holds the locks."""
    task.wait_for(WaitsFor.ESCALATION)
    task.result = {"error": {"code": code, "detail": detail}}
    data = {"code": code, "detail": detail, "step": task.step, "attempt": task.attempt}
    _stop(task, actor, [Draft(EventType.SYSTEM_WARNING, actor, data, task=task.pk)])


def _lock_claimed(claim: Claim) -> Task | None:
    """The task under lock, or None where another holds it by now.

    The fence has not moved, so no one has written the row since it was claimed.
    """
    return claim.task if lock_claimed(claim) else None


def _ask(task: Task, outcome: NeedsPerson, actor: Actor) -> list[Draft]:
    if not all(is_storable(text) for text in (*outcome.questions, outcome.reason)):
        raise InvalidInput.of("questions", "binary", "The questions are no plain text.")
    close_attempt(task, AttemptOutcome.NEEDS_PERSON, **_usage_fields(outcome.usage))
    task.wait_for(WaitsFor.CLARIFICATION)
    task.result = {"questions": list(outcome.questions), "reason": outcome.reason}
    data = {"step": task.step, "questions": len(outcome.questions)}
    return [Draft(EventType.TASK_PROGRESS, actor, data, task=task.pk)]


def _deliver(task: Task, outcome: Completed, actor: Actor) -> list[Draft]:
    close_attempt(task, AttemptOutcome.COMPLETED, **_usage_fields(outcome.usage))
    waits_for = _gate(task, outcome.verdict)
    stored = _store_all(task, outcome, not waits_for)
    task.result = {
        "outputs": [output_reference(artifact, version) for artifact, version in stored],
        "verdict": outcome.verdict,
        "notes": outcome.notes,
        "provider": outcome.usage.provider,
        "model": outcome.usage.model,
    }
    drafts = [version_draft(artifact, version, actor) for artifact, version in stored]
    data = {"step": task.step, "round": task.round, "verdict": outcome.verdict}
    if waits_for:
        task.wait_for(waits_for)
        data["waits_for"] = str(waits_for)
        return [*drafts, Draft(EventType.TASK_PROGRESS, actor, data, task=task.pk)]
    task.move(TaskStatus.COMPLETED)
    task.finished_at = Now()
    return [*drafts, Draft(EventType.TASK_COMPLETED, actor, data, task=task.pk)]


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
    is_free = output.artifact_type == ArtifactType.AGENT_OUTPUT
    return task.title if is_free and task.title else output.title


def output_reference(artifact: Artifact, version: ArtifactVersion) -> dict[str, Any]:
    return {
        "artifact": str(artifact.pk),
        "artifact_type": artifact.artifact_type,
        "title": artifact.title,
        "version": version.number,
        "sha256": version.sha256,
    }


def _gate(task: Task, verdict: str) -> str:
    """What the result waits for. A failed verdict loops back until its rounds are used up."""
    if verdict == "fail":
        return WaitsFor.ESCALATION if task.escalates_on_fail else ""
    return task.gate


def _plan_retry(task: Task, delay: float, error: WorkError, actor: Actor) -> None:
    # Up to a quarter more, so that tasks that failed together do not return together.
    wait = max(delay, getattr(error, "retry_after", None) or 0) * (1 + random.random() / 4)  # noqa: S311 - jitter, no secret
    task.move(TaskStatus.PENDING)
    task.run_after, task.rung_at = Now() + timedelta(seconds=wait), None
    task.save(update_fields=RESULT)
    data = {
        "step": task.step,
        "attempt": task.attempt,
        "code": error.code,
        "detail": error.detail,
        "delay_ms": round(wait * 1000),
    }
    retried = Draft(EventType.TASK_RETRIED, actor, data, task=task.pk)
    record_all(task.project_id, [retried, *refresh_board(task.project_id, task.agent_type, actor)])
    count_retry(task.agent_type, "transient_error")


def _stop(task: Task, actor: Actor, drafts: list[Draft]) -> None:
    update_row(task, RESULT)
    task_stopped.send(Task, task=task)
    record_all(task.project_id, [*drafts, *refresh_board(task.project_id, task.agent_type, actor)])


def _usage_fields(usage: Usage | None) -> dict:
    return asdict(usage) if usage else {}
