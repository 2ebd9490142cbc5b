"""Work for agents that run elsewhere: claims, leases and results as those of our own workers.

A claim is that of `claim_task`, a result that of `finish_task`: what differs is who renews the
lease, and that a report which comes twice, after a lost answer, is answered twice.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from agents.context_assembly import assemble_assignment
from agents.enums import AttemptOutcome, TaskStatus
from agents.external import EXTERNAL, outside_parameters, prefix_of, worker_name
from agents.metrics import ATTEMPT_SECONDS, count_usage
from agents.models import EmergencyStop, Task, TaskAttempt
from agents.protocols import (
    Assignment,
    Completed,
    NeedsPerson,
    Output,
    PermanentError,
    TransientError,
    Usage,
)
from agents.roles.tester import ran_well
from agents.services.budgets import add_spending
from agents.services.claims import Claim, claim_task, hand_back_claims
from agents.services.recovery import take_back_task
from agents.services.results import fail_attempt, finish_task
from agents.worker.cancellation import LeaseLost
from audit.canonical import digest
from audit.stream.notifier import publish_ephemeral
from context.artifact_types import ContentError, validate_content
from core import sql
from core.errors import Conflict, Forbidden, NotFound, Unprocessable
from projects.credentials import lock_usable_credential
from projects.integrity import ContentChanged
from projects.models import AgentCredential

PROGRESS_MAX = 2_000
IS_OVER = "SELECT lease_expires_at < clock_timestamp() FROM tasks WHERE id = %s AND fence = %s"


@dataclass(frozen=True)
class WorkClaim:
    """A task, for as long as its lease is renewed, and all that its agent is given."""

    claim: Claim
    assignment: Assignment

    @property
    def lease_expires_at(self) -> datetime:
        return self.claim.task.lease_expires_at


def claim_work(
    *,
    credential: AgentCredential,
    agent_types: Sequence[str],
    worker: str,
    lease_seconds: float,
) -> WorkClaim | None:
    """The task that is due for longest, of the credential's project; None where there is none."""
    where = {"project": credential.project_id, "agent_types": list(agent_types)}
    sql.execute("note_outside_worker", **where)
    for (task_id,) in sql.fetch_all("due_outside", **where, **outside_parameters()):
        claim = claim_task(
            task_id=task_id,
            worker=worker_name(credential, worker),
            lease_seconds=lease_seconds,
            is_external=True,
            check=lambda tx: lock_usable_credential(tx, credential),
        )
        if claim is None:
            continue
        try:
            return WorkClaim(claim, assemble_assignment(claim))
        except ContentChanged as error:
            changed = PermanentError(error.code, error.detail)
            changed.facts = error.facts
            fail_attempt(claim=claim, error=changed)
        except PermanentError as error:
            # What it needs is not there: a person is asked, and the next task may do.
            fail_attempt(claim=claim, error=error)
        except LeaseLost:
            continue
    return None


def renew_lease(
    *, credential: AgentCredential, task_id: UUID, fence: int, progress: Any = None
) -> tuple[datetime, bool]:
    """When the lease ends, and whether the work must stop.

    An emergency stop is acknowledged by this answer: the task goes back into the queue. Raises
    NotFound, Conflict `lease_lost`.
    """
    attempt = _attempt(credential, task_id, fence)
    claim = Claim(attempt.task, fence)
    row = sql.fetch_one("beat_outside", task=task_id, fence=fence)
    if row is None:
        if attempt.outcome == AttemptOutcome.HANDED_BACK and _is_stopped(attempt.task):
            # The answer that said so may have been lost.
            return attempt.finished_at, True
        raise _lease_lost(claim)
    lease_expires_at, is_stopped = row
    if is_stopped:
        hand_back_claims([claim], cause="emergency_stop")
        sql.execute("acknowledge_outside", worker=attempt.worker)
    elif progress is not None:
        _publish_progress(attempt.task, progress)
    return lease_expires_at, is_stopped


def complete_work(
    *,
    credential: AgentCredential,
    task_id: UUID,
    fence: int,
    outputs: Sequence[dict[str, Any]],
    usage: dict[str, Any] | None = None,
    notes: str = "",
    verdict: str | None = None,
) -> AttemptOutcome:
    """Bring the result, once.

    Raises NotFound, Conflict (`lease_lost`, `already_reported`), TooLarge, and Unprocessable for
    outputs that are not those of the assignment; the lease stays then.
    """
    spent = Usage(EXTERNAL, **usage) if usage else Usage(EXTERNAL)

    def complete(claim: Claim) -> bool:
        checked = _checked_outputs(claim.task, outputs)
        outcome = Completed(checked, spent, _verdict(checked, verdict), notes)
        return finish_task(claim=claim, outcome=outcome)

    body = {"outputs": outputs, "usage": usage, "notes": notes, "verdict": verdict}
    reported = _report(credential, task_id, fence, ["complete", body], complete)
    return _counted(reported, spent)


def ask_person(
    *,
    credential: AgentCredential,
    task_id: UUID,
    fence: int,
    questions: Sequence[str],
    reason: str = "",
) -> AttemptOutcome:
    """The work cannot go on without an answer of a person; with it, it is to be claimed again.

    Raises NotFound, Conflict (`lease_lost`, `already_reported`).
    """
    outcome = NeedsPerson(tuple(questions), Usage(EXTERNAL), reason)
    body = ["ask", {"questions": list(questions), "reason": reason}]
    reported = _report(
        credential, task_id, fence, body, lambda claim: finish_task(claim=claim, outcome=outcome)
    )
    return _counted(reported)


def fail_work(
    *,
    credential: AgentCredential,
    task_id: UUID,
    fence: int,
    code: str,
    detail: str,
    transient: bool,
) -> AttemptOutcome:
    """It failed: transient errors are tried again, after a while, others go to a person.

    Raises NotFound, Conflict (`lease_lost`, `already_reported`).
    """
    error = (TransientError if transient else PermanentError)(code, detail, usage=Usage(EXTERNAL))
    body = ["fail", {"code": code, "detail": detail, "transient": transient}]
    reported = _report(
        credential, task_id, fence, body, lambda claim: fail_attempt(claim=claim, error=error)
    )
    return _counted(reported)


def release_work(*, credential: AgentCredential, task_id: UUID, fence: int) -> AttemptOutcome:
    """Give it back, undone; the attempt does not count. Raises NotFound, Conflict `lease_lost`."""
    attempt = _attempt(credential, task_id, fence)
    if attempt.outcome != AttemptOutcome.HANDED_BACK:
        claim = Claim(attempt.task, fence)
        if _is_over(claim) or not hand_back_claims([claim], cause="released"):
            raise _lease_lost(claim)
        sql.execute("acknowledge_outside", worker=attempt.worker)
    return AttemptOutcome.HANDED_BACK


def _report(
    credential: AgentCredential,
    task_id: UUID,
    fence: int,
    body: Any,
    act: Callable[[Claim], bool],
) -> tuple[TaskAttempt, bool]:
    """The attempt that this has ended, now or when the same was reported before, and which."""
    sha256 = digest("paraph.report.v1", json.dumps(body, sort_keys=True).encode())
    attempt = _attempt(credential, task_id, fence)
    if _is_reported(attempt, sha256):
        return attempt, False
    claim = Claim(attempt.task, fence)
    if attempt.outcome != AttemptOutcome.RUNNING or _is_over(claim):
        raise _lease_lost(claim)
    with transaction.atomic():
        is_ours = act(claim)
        if is_ours:
            if not AgentCredential.objects.usable().filter(pk=credential.pk).exists():
                detail = "The credential was revoked or has expired."
                raise Forbidden("credential_revoked", detail)
            TaskAttempt.objects.filter(pk=attempt.pk).update(report_sha256=sha256)
    attempt.refresh_from_db(fields=["outcome", "report_sha256", "finished_at"])
    # The same report may have come twice at a time.
    if not is_ours and not _is_reported(attempt, sha256):
        raise _lease_lost(claim)
    sql.execute("acknowledge_outside", worker=attempt.worker)
    return attempt, is_ours


def _attempt(credential: AgentCredential, task_id: UUID, fence: int) -> TaskAttempt:
    """Raises NotFound, and Conflict `lease_lost` for a fence that no worker of it has had."""
    task = Task.objects.select_related("project").filter(pk=task_id, project=credential.project_id)
    if (task := task.first()) is None:
        raise NotFound("not_found", "There is no such task, or it is not of your project.")
    attempts = TaskAttempt.objects.filter(task=task, fence=fence)
    attempt = attempts.filter(worker__startswith=prefix_of(credential)).first()
    if attempt is None:
        raise _lease_lost(Claim(task, fence))
    attempt.task = task
    return attempt


def _is_reported(attempt: TaskAttempt, sha256: str) -> bool:
    """Raises Conflict where it was reported otherwise."""
    if attempt.report_sha256 and attempt.report_sha256 != sha256:
        detail = f"It was reported as {attempt.outcome} already; that stands."
        raise Conflict("already_reported", detail, outcome=attempt.outcome)
    return attempt.report_sha256 == sha256


def _is_over(claim: Claim) -> bool:
    """Whether the lease has run out, seen or not: what was paused for longer has lost its task."""
    with connection.cursor() as cursor:
        cursor.execute(IS_OVER, [claim.task.pk, claim.fence])
        row = cursor.fetchone()
    return bool(row and row[0])


def _lease_lost(claim: Claim) -> Conflict:
    """Final. What was not taken back yet is now."""
    if claim.task.status == TaskStatus.WORKING and _is_over(claim):
        take_back_task(claim.task.pk)
    detail = "The task is no longer yours: its lease ran out, or it was cancelled. Claim another."
    return Conflict("lease_lost", detail)


def _is_stopped(task: Task) -> bool:
    stops = EmergencyStop.objects.covering(task.project_id)
    return stops.filter(agent_type__in=["", task.agent_type]).exists()


def _checked_outputs(task: Task, outputs: Sequence[dict[str, Any]]) -> tuple[Output, ...]:
    """In the order of the assignment. Raises Unprocessable with every field at fault."""
    expected = task.handoff.get("expected_outputs", ["agent_output"])
    brought = [output["artifact_type"] for output in outputs]
    if sorted(brought) != sorted(expected):
        detail = f"The assignment expects one of each: {', '.join(expected)}."
        error = {"field": "outputs", "code": "unexpected_outputs", "detail": detail}
        raise Unprocessable("unexpected_outputs", detail, errors=[error])
    checked, errors = [], []
    for position, output in enumerate(outputs):
        try:
            content = validate_content(output["artifact_type"], output["content"])
        except ContentError as error:
            where = f"outputs.{position}.content"
            errors += [e | {"field": f"{where}.{e['field']}".rstrip(".")} for e in error.errors]
        else:
            checked.append(Output(output["artifact_type"], output["title"], content))
    if errors:
        detail = "The content does not fit its type. The assignment has the schemas."
        raise Unprocessable("invalid_content", detail, errors=errors)
    return tuple(sorted(checked, key=lambda output: expected.index(output.artifact_type)))


def _verdict(outputs: Sequence[Output], verdict: str | None) -> str:
    """As reported, or as its test results say. Raises Unprocessable where they say otherwise."""
    results = [output for output in outputs if output.artifact_type == "test_results"]
    has_failed = any(not ran_well(output.content) for output in results)
    if verdict == "pass" and has_failed:
        detail = "The test results do not show that the tests ran and passed."
        error = {"field": "verdict", "code": "not_supported", "detail": detail}
        raise Unprocessable("verdict_not_supported", detail, errors=[error])
    if verdict is None:
        return "fail" if has_failed else ""
    return verdict


def _publish_progress(task: Task, progress: Any) -> None:
    """To those who listen to the project; it is not stored."""
    expected = task.handoff.get("expected_outputs", ["agent_output"])
    text = progress if isinstance(progress, str) else json.dumps(progress, ensure_ascii=False)
    content = {
        "kind": "progress",
        "task": str(task.pk),
        "step": task.step,
        "agent_type": str(task.agent_type),
        "artifact_type": expected[0],
        "number": 1,
        "of": len(expected),
        "text": text[:PROGRESS_MAX],
    }
    publish_ephemeral(task.project_id, content)


def _counted(reported: tuple[TaskAttempt, bool], usage: Usage | None = None) -> AttemptOutcome:
    """How it ended, counted once."""
    attempt, is_new = reported
    outcome = AttemptOutcome(attempt.outcome)
    if is_new:
        if usage is not None:
            count_usage(usage)
            add_spending(attempt.task, usage)
        seconds = (attempt.finished_at - attempt.started_at).total_seconds()
        ATTEMPT_SECONDS.labels(str(attempt.task.agent_type), str(outcome)).observe(seconds)
    return outcome
