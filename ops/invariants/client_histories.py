"""What clients have written down, held against the database.

`answers.jsonl`: one line an answer. `frames.jsonl`: one line a frame of a WebSocket.
`ledger.jsonl`: one line a call to the world outside. `outages.jsonl`: when the database was away.
`restores.jsonl`: when an older backup was put in place. `falls.jsonl`: when which worker died.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from agents.enums import AttemptOutcome
from agents.models import TaskAttempt
from audit.models import Event
from context.models import ArtifactVersion
from hitl.events import DECISION_RECORDED
from hitl.models import Decision
from ops.invariants.violation import Violation
from projects.events import PROJECT_CANCELLED, PROJECT_PAUSED, PROJECT_RESUMED, PROJECT_STARTED
from projects.models import Project

VERBS = {
    "start": PROJECT_STARTED,
    "pause": PROJECT_PAUSED,
    "resume": PROJECT_RESUMED,
    "cancel": PROJECT_CANCELLED,
}
# A pool notices that its connections are dead only when it uses them.
OUTAGE_ECHO_SECONDS = 5
CLAIMED_AGAIN_WITHIN = timedelta(seconds=40)
# 0: no answer came; it was asked again.
LOST = {0, 403, 409, 410}
REPEATED = {AttemptOutcome.CRASHED, AttemptOutcome.HANDED_BACK, AttemptOutcome.CANCELLED}


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / name
    return [json.loads(line) for line in path.open()] if path.exists() else []


def check_histories(folder: Path, projects: set[str]) -> Iterator[Violation]:
    restores = [(one["dumped_at"], one["at"]) for one in read(folder, "restores.jsonl")]
    answers = [one for one in read(folder, "answers.jsonl") if one.get("project") in projects]
    # What was acknowledged between a backup and its return is gone, as anybody knows who does it.
    kept = [one for one in answers if not any(a <= one["at"] <= b for a, b in restores)]
    yield from _check_answers(kept, LOST | ({404} if restores else set()))
    yield from _check_errors(answers, read(folder, "outages.jsonl"))
    yield from _check_frames(read(folder, "frames.jsonl"), projects)
    for fall in read(folder, "falls.jsonl"):
        yield from _check_fall(fall, projects)
    if calls := read(folder, "ledger.jsonl"):
        yield from _check_ledger(calls, projects, is_restored=bool(restores))


def _check_answers(kept: list[dict], lost: set[int]) -> Iterator[Violation]:
    yield from _check_created([one for one in kept if one["what"] == "create"])
    yield from _check_verbs([one for one in kept if one["what"] in VERBS])
    yield from _check_decided([one for one in kept if one["what"] == "decide"], lost)


def _check_errors(answers: list[dict], outages: list[dict]) -> Iterator[Violation]:
    """Without its database nobody can answer; at all other times there is an answer."""
    spans = [(one["begun"], one["at"] + OUTAGE_ECHO_SECONDS) for one in outages]
    for one in answers:
        is_excused = any(one["sent"] <= end and one["at"] >= begun for begun, end in spans)
        if one["status"] >= 500 and not is_excused:
            yield Violation("no_server_error", one["path"], f"{one['status']} at {one['at']}")


def _check_created(created: list[dict]) -> Iterator[Violation]:
    for one in created:
        if one["status"] == 201 and not Project.objects.filter(pk=one["project"]).exists():
            yield Violation("acknowledged", f"project {one['project']}", "it is not there")


def _check_verbs(answered: list[dict]) -> Iterator[Violation]:
    """As many events as answers; more only where an answer was lost and not asked for again."""
    said = Counter((one["project"], one["what"]) for one in answered if one["status"] == 200)
    for (project, verb), times in said.items():
        events = Event.objects.filter(project=project, event_type=VERBS[verb])
        if events.count() < times:
            detail = f"{times} times {verb} acknowledged, {events.count()} in the log"
            yield Violation("acknowledged", f"project {project}", detail)


def _check_decided(answered: list[dict], lost: set[int]) -> Iterator[Violation]:
    winners: dict[str, set[str]] = defaultdict(set)
    for one in answered:
        if one["status"] == 201:
            winners[one["request"]].add(one["decision"])
        elif one["status"] < 500 and not _may_lose(one, lost):
            detail = f"a loser got {one['status']} {one.get('code')}"
            yield Violation("losers_get_409", f"request {one['request']}", detail)
    decisions = dict(Decision.objects.values_list("pk", "request"))
    for request, ids in winners.items():
        recorded = Event.objects.filter(hitl_request=request, event_type=DECISION_RECORDED)
        in_log = set(recorded.values_list("data__decision", flat=True))
        for id in ids:
            if str(decisions.get(UUID(id))) != request or id not in in_log:
                yield Violation("acknowledged", f"decision {id}", "it is not in the log")


def _may_lose(answer: dict, lost: set[int]) -> bool:
    """403 only for who wrote by now what is asked about, not for anybody who came second."""
    if answer["status"] == 403:
        return answer.get("code") == "self_approval"
    return answer["status"] in lost


def _check_frames(frames: list[dict], projects: set[str]) -> Iterator[Violation]:
    """Each client: every event once, in order, the same as in the log, up to the head."""
    clients: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for one in frames:
        if one["project"] in projects:
            clients[one["client"], one["project"]].append(one)
    hashes: dict[str, dict[int, str]] = {}
    for (client, project), heard in clients.items():
        if project not in hashes:
            events = Event.objects.filter(project=project)
            hashes[project] = dict(events.values_list("sequence", "hash"))
        yield from _check_client(f"client {client} of {project}", heard, hashes[project])


def _check_client(who: str, heard: list[dict], hashes: dict[int, str]) -> Iterator[Violation]:
    last = heard[0]["after"] if heard else 0
    since_reset = max((n for n, one in enumerate(heard) if one["type"] == "reset"), default=-1)
    for number, one in enumerate(heard):
        if one["type"] == "reset":
            last = 0
        if one["type"] != "event":
            continue
        if one["sequence"] != last + 1:
            yield Violation("each_event_once", who, f"{one['sequence']} came after {last}")
        if number > since_reset and hashes.get(one["sequence"]) != one["hash"]:
            yield Violation("each_event_once", who, f"{one['sequence']} is not that of the log")
        last = one["sequence"]
    if heard and heard[-1]["type"] != "left" and last != max(hashes, default=0):
        detail = f"heard up to {last} of {max(hashes, default=0)}"
        yield Violation("each_event_once", who, detail)


def _check_fall(fall: dict, projects: set[str]) -> Iterator[Violation]:
    """What a worker had at hand when it died is with another one soon."""
    fell_at = datetime.fromtimestamp(fall["at"], UTC)
    died = TaskAttempt.objects.filter(
        task__project__in=projects, worker__endswith=f":{fall['pid']}", started_at__lte=fell_at
    )
    for lost in died.filter(outcome=AttemptOutcome.CRASHED, finished_at__gte=fell_at):
        later = TaskAttempt.objects.filter(task=lost.task_id, fence__gt=lost.fence)
        again = later.order_by("fence").first()
        if again and again.started_at > fell_at + CLAIMED_AGAIN_WITHIN:
            detail = f"claimed again {again.started_at - fell_at} after its worker died"
            yield Violation("lost_task_claimed", f"task {lost.task_id}", detail)


def _check_ledger(calls: list[dict], projects: set[str], is_restored: bool) -> Iterator[Violation]:
    """One call a claim; one effect a completed piece of work, and its receipt is what is stored."""
    by_claim = Counter((one["key"].split(":")[0], one["fence"]) for one in calls)
    attempts = TaskAttempt.objects.filter(task__project__in=projects)
    outcomes = {(str(a.task_id), a.fence): a.outcome for a in attempts}
    known = {str(task) for task in attempts.values_list("task", flat=True)}
    for (task, fence), times in by_claim.items():
        if task not in known:
            continue
        if times > 1 and not is_restored:
            yield Violation("effect_once", f"task {task} fence {fence}", f"{times} calls")
        if (task, fence) not in outcomes and not is_restored:
            yield Violation("effect_once", f"task {task} fence {fence}", "a call without a claim")
    for claim, outcome in outcomes.items():
        if outcome == AttemptOutcome.COMPLETED and claim not in by_claim:
            yield Violation("effect_once", f"task {claim[0]}", "completed without its effect")
    yield from _check_repeated(calls, known, outcomes)
    yield from _check_receipts(calls, projects)


def _check_repeated(calls: list[dict], known: set[str], outcomes: dict) -> Iterator[Violation]:
    """A call is repeated only where a worker was lost or stopped after it."""
    by_key: dict[str, set[int]] = defaultdict(set)
    for one in calls:
        by_key[one["key"]].add(one["fence"])
    for key, fences in by_key.items():
        task = key.split(":")[0]
        kept = [f for f in fences if outcomes.get((task, f)) not in REPEATED]
        if task in known and len(kept) > 1:
            yield Violation("effect_once", f"task {task}", f"done under fences {sorted(kept)}")


def _check_receipts(calls: list[dict], projects: set[str]) -> Iterator[Violation]:
    receipts = {(one["key"].split(":")[0], one["fence"]): one.get("receipt") for one in calls}
    versions = ArtifactVersion.objects.filter(artifact__project__in=projects, fence__isnull=False)
    for version in versions:
        wanted = receipts.get((str(version.task), version.fence))
        if wanted and version.content.get("summary") != wanted:
            yield Violation("effect_once", f"task {version.task}", "what is stored is another")
