"""What an agent that uses tools has come to: kept after each turn, for whichever worker goes on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db.models import Max

from agents.enums import TaskStatus, ToolOutcome
from agents.events import TOOLS_USED
from agents.models import ModelRun, Task, TaskAttempt, ToolUse
from agents.protocols import Reply, ToolCall, Usage
from agents.services.claims import Claim, lock_claimed
from agents.workspace import Workspace
from audit.actors import Actor
from projects import hooks
from projects.transaction import ProjectTransaction

# The tool that reads the store.
READ = "read_artifact"
ANSWERED = [
    *("messages", "calls", "results", "approvals", "note", "turns", "rejections"),
    *("tokens", "seconds", "updated_at"),
]


@dataclass(frozen=True)
class UsedTool:
    """One call, and what came of it. `action`: by which it was allowed, or not.

    `arguments` are those that ran, which a person may have changed.
    """

    call: ToolCall
    arguments: dict[str, Any]
    outcome: ToolOutcome
    result: str
    duration_ms: int
    action: UUID | None = None


def find_run(task: Task, *, work_key: str, artifact_type: str) -> ModelRun:
    """Where the work on this artifact stands; not stored before the first answer."""
    of_work = {"task": task, "work_key": work_key, "artifact_type": artifact_type}
    return ModelRun.objects.filter(**of_work).first() or ModelRun(**of_work)


def calls_of(run: ModelRun) -> list[ToolCall]:
    """Of the last answer, those that are not done yet."""
    return [ToolCall(**call) for call in json.loads(run.calls or "[]")]


def results_of(run: ModelRun) -> dict[str, str]:
    return json.loads(run.results or "{}")


def approvals_of(run: ModelRun) -> dict[str, dict[str, Any]]:
    """What people said to calls of the last answer, by id; see `resume_call`."""
    return json.loads(run.approvals or "{}")


def keep_answer(
    claim: Claim, run: ModelRun, reply: Reply, *, calls: Sequence[ToolCall] = (), note: str = ""
) -> bool:
    """What the model said, before any of it is done; False where the claim is lost.

    A call of a model may have taken minutes, and money.
    """
    usage = reply.usage
    run.messages, run.note = reply.messages, note
    run.calls = json.dumps([asdict(call) for call in calls])
    run.results = run.approvals = ""
    run.turns += 1
    run.tokens += (usage.input_tokens or 0) + (usage.output_tokens or 0)
    return _save(claim, run)


def keep_results(
    claim: Claim,
    run: ModelRun,
    *,
    used: Sequence[UsedTool],
    workspace: Workspace,
    usage: Usage | None,
) -> bool:
    """What the calls have brought, with the files that they changed; False where it is lost.

    `usage` is that of the attempt so far: one that crashes has cost, too.
    """
    actor = Actor.of_agent(claim.task.agent_type)
    with ProjectTransaction(claim.task.project_id, actor) as tx:
        task = lock_claimed(tx, claim)
        if task is None:
            return False
        uses = ToolUse.objects.filter(task=task)
        first = (uses.aggregate(last=Max("number"))["last"] or 0) + 1
        rows = [
            ToolUse(
                task=task,
                number=number,
                fence=claim.fence,
                turn=run.turns,
                name=item.call.name[:100],
                arguments=json.dumps(item.arguments),
                arguments_sha256=arguments_sha256(item.arguments),
                outcome=item.outcome,
                result=item.result,
                duration_ms=item.duration_ms,
                action=item.action,
            )
            for number, item in enumerate(used, start=first)
        ]
        ToolUse.objects.bulk_create(rows)
        hooks.run("tools_used", tx, task, rows)
        workspace.store(task, fence=claim.fence, turn=run.turns)
        done = {item.call.id: item.result for item in used}
        run.results = json.dumps(results_of(run) | done)
        run.calls = json.dumps([asdict(call) for call in calls_of(run) if call.id not in done])
        run.save(update_fields=ANSWERED)
        if usage is not None:
            attempt = TaskAttempt.objects.filter(task=task, fence=claim.fence)
            attempt.update(**usage.columns())
        if rows:
            tx.record(
                TOOLS_USED,
                task=task,
                agent_type=str(task.agent_type),
                step=task.step,
                attempt=task.attempt,
                turn=run.turns,
                calls=[
                    {
                        "tool": row.name,
                        "arguments_sha256": row.arguments_sha256,
                        "outcome": str(row.outcome),
                        "duration_ms": row.duration_ms,
                    }
                    for row in rows
                ],
            )
    workspace.mark_stored()
    return True


def artifacts_read(task: Task) -> tuple[tuple[str, int], ...]:
    """What of the store its agent has read by itself: ids and versions."""
    uses = ToolUse.objects.filter(task=task, name=READ, outcome=ToolOutcome.SUCCEEDED)
    read = [json.loads(text) for text in uses.values_list("arguments", flat=True)]
    return tuple(dict.fromkeys((item["artifact"], item["version"]) for item in read))


def empty_runs(task: Task) -> None:
    """Once the work is handed in, nobody goes on with what was said."""
    ModelRun.objects.filter(task=task).exclude(messages="").update(
        messages="", calls="", results="", approvals="", note=""
    )


def arguments_sha256(arguments: Mapping[str, object]) -> str:
    """Over JSON with its names in order; a model may write what has no canonical form."""
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _save(claim: Claim, run: ModelRun) -> bool:
    """Only who has claimed the task last may write."""
    if run.pk is None:
        of_work = {name: getattr(run, name) for name in ("task", "work_key", "artifact_type")}
        run.pk = ModelRun.objects.get_or_create(**of_work)[0].pk
        run._state.adding = False
    rows = ModelRun.objects.filter(pk=run.pk)
    mine = rows.filter(task__fence=claim.fence, task__status=TaskStatus.WORKING)
    return mine.update(**{name: getattr(run, name) for name in ANSWERED[:-1]}) == 1
