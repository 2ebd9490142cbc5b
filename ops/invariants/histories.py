"""What clients wrote down, compared with the database.

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
from ops.invariants.rows import Violation
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
RECLAIM_LIMIT = timedelta(seconds=40)
# Statuses for a decision that came second. 0: no answer came, and the client sent it again.
LOSING_STATUSES = {0, 409, 410}
REPEATABLE = {AttemptOutcome.CRASHED, AttemptOutcome.HANDED_BACK, AttemptOutcome.CANCELLED}

Record = dict[str, Any]


def read(folder: Path, name: str) -> list[Record]:
    path = folder / name
    return [json.loads(line) for line in path.open()] if path.exists() else []


def check_histories(folder: Path, projects: set[str]) -> Iterator[Violation]:
    answers = [row for row in read(folder, "answers.jsonl") if row.get("project") in projects]
    restores = [(row["dumped_at"], row["at"]) for row in read(folder, "restores.jsonl")]
    # What was acknowledged between a backup and its return is lost, as whoever restores it knows.
    kept = [row for row in answers if not any(start <= row["at"] <= end for start, end in restores)]
    losing = LOSING_STATUSES | ({404} if restores else set())
    yield from check_errors(answers, read(folder, "outages.jsonl"))
    yield from check_verbs(kept)
    yield from check_decisions([row for row in kept if row["what"] == "decide"], losing)
    yield from check_frames(read(folder, "frames.jsonl"), projects)
    yield from check_falls(read(folder, "falls.jsonl"), projects)
    if calls := read(folder, "ledger.jsonl"):
        yield from check_effects(calls, projects, is_restored=bool(restores))
        yield from check_receipts(calls, projects)


def check_errors(answers: list[Record], outages: list[Record]) -> Iterator[Violation]:
    """Without its database nobody can answer; at all other times there is an answer."""
    spans = [(outage["begun"], outage["at"] + OUTAGE_ECHO_SECONDS) for outage in outages]
    for answer in answers:
        is_excused = any(answer["sent"] <= end and answer["at"] >= begin for begin, end in spans)
        if answer["status"] >= 500 and not is_excused:
            detail = f"{answer['status']} at {answer['at']}"
            yield Violation("no_server_error", answer["path"], detail)


def check_verbs(answers: list[Record]) -> Iterator[Violation]:
    """A project that was created exists, and each acknowledged verb is in its log.

    There are more events than answers where an answer was lost and the client did not ask again.
    """
    for answer in answers:
        project = answer["project"]
        is_created = answer["what"] == "create" and answer["status"] == 201
        if is_created and not Project.objects.filter(pk=project).exists():
            yield Violation("acknowledged", f"project {project}", "it does not exist")
    acknowledged = Counter(
        (answer["project"], answer["what"])
        for answer in answers
        if answer["what"] in VERBS and answer["status"] == 200
    )
    for (project, verb), count in acknowledged.items():
        events = Event.objects.filter(project=project, event_type=VERBS[verb]).count()
        if events < count:
            detail = f"{verb} was acknowledged {count} times and is in the log {events} times"
            yield Violation("acknowledged", f"project {project}", detail)


def check_decisions(answers: list[Record], losing_statuses: set[int]) -> Iterator[Violation]:
    """Each acknowledged decision is stored and in the log; everybody else was told that it lost."""
    winners: dict[str, set[str]] = defaultdict(set)
    for answer in answers:
        status, code = answer["status"], answer.get("code")
        if status == 201:
            winners[answer["request"]].add(answer["decision"])
            continue
        # 403 is for the author of the current version, not for anybody who came second.
        may_lose = code == "self_approval" if status == 403 else status in losing_statuses
        if status < 500 and not may_lose:
            where = f"request {answer['request']}"
            yield Violation("losers_get_409", where, f"a loser got {status} {code}")
    requests = dict(Decision.objects.values_list("pk", "request"))
    for request, decisions in winners.items():
        events = Event.objects.filter(hitl_request=request, event_type=DECISION_RECORDED)
        logged = set(events.values_list("data__decision", flat=True))
        for id in decisions:
            if str(requests.get(UUID(id))) != request or id not in logged:
                yield Violation("acknowledged", f"decision {id}", "it is not in the log")


def check_frames(frames: list[Record], projects: set[str]) -> Iterator[Violation]:
    """Each client: every event once, in order, the same as in the log, up to the head."""
    clients: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for frame in frames:
        if frame["project"] in projects:
            clients[frame["client"], frame["project"]].append(frame)
    hashes: dict[str, dict[int, str]] = {}
    for (client, project), received in clients.items():
        where = f"client {client} of {project}"
        if project not in hashes:
            events = Event.objects.filter(project=project)
            hashes[project] = dict(events.values_list("sequence", "hash"))
        resets = [index for index, frame in enumerate(received) if frame["type"] == "reset"]
        last = received[0]["after"]
        for index, frame in enumerate(received):
            if frame["type"] == "reset":
                last = 0
            if frame["type"] != "event":
                continue
            sequence = frame["sequence"]
            if sequence != last + 1:
                yield Violation("each_event_once", where, f"{sequence} came after {last}")
            # What came before a reset may have been undone by a restore.
            is_current = not resets or index > resets[-1]
            if is_current and hashes[project].get(sequence) != frame["hash"]:
                yield Violation("each_event_once", where, f"{sequence} differs from the log")
            last = sequence
        head = max(hashes[project], default=0)
        if received[-1]["type"] != "left" and last != head:
            yield Violation("each_event_once", where, f"received up to {last} of {head}")


def check_falls(falls: list[Record], projects: set[str]) -> Iterator[Violation]:
    """The tasks of a worker that died are claimed again soon."""
    for fall in falls:
        fell_at = datetime.fromtimestamp(fall["at"], UTC)
        crashed = TaskAttempt.objects.filter(
            task__project__in=projects,
            worker__endswith=f":{fall['pid']}",
            outcome=AttemptOutcome.CRASHED,
            started_at__lte=fell_at,
            finished_at__gte=fell_at,
        )
        for attempt in crashed:
            later = TaskAttempt.objects.filter(task=attempt.task_id, fence__gt=attempt.fence)
            next_attempt = later.order_by("fence").first()
            if next_attempt and next_attempt.started_at > fell_at + RECLAIM_LIMIT:
                detail = f"claimed again {next_attempt.started_at - fell_at} after its worker died"
                yield Violation("lost_task_claimed", f"task {attempt.task_id}", detail)


def check_effects(
    calls: list[Record], projects: set[str], *, is_restored: bool
) -> Iterator[Violation]:
    """One call a claim, one effect a completed task.

    A call is repeated only where a worker was lost or stopped after it.
    """
    attempts = TaskAttempt.objects.filter(task__project__in=projects)
    outcomes = {(str(attempt.task_id), attempt.fence): attempt.outcome for attempt in attempts}
    tasks = {task for task, fence in outcomes}
    counts = Counter((task_of(call), call["fence"]) for call in calls)
    for (task, fence), count in counts.items():
        if task in tasks and not is_restored:
            if count > 1:
                yield Violation("effect_once", f"task {task} fence {fence}", f"{count} calls")
            if (task, fence) not in outcomes:
                where = f"task {task} fence {fence}"
                yield Violation("effect_once", where, "a call without a claim")
    for claim, outcome in outcomes.items():
        if outcome == AttemptOutcome.COMPLETED and claim not in counts:
            yield Violation("effect_once", f"task {claim[0]}", "completed without its effect")
    fences_by_key: dict[str, set[int]] = defaultdict(set)
    for call in calls:
        if outcomes.get((task_of(call), call["fence"])) not in REPEATABLE:
            fences_by_key[call["key"]].add(call["fence"])
    for key, fences in fences_by_key.items():
        task = key.partition(":")[0]
        if task in tasks and len(fences) > 1:
            ended = [f"{fence} ({outcomes.get((task, fence))})" for fence in sorted(fences)]
            detail = f"done under fences {', '.join(ended)}"
            yield Violation("effect_once", f"task {task}", detail)


def check_receipts(calls: list[Record], projects: set[str]) -> Iterator[Violation]:
    """What is stored is what the last call of its claim returned."""
    receipts = {(task_of(call), call["fence"]): call.get("receipt") for call in calls}
    versions = ArtifactVersion.objects.filter(artifact__project__in=projects, fence__isnull=False)
    for version in versions:
        receipt = receipts.get((str(version.task), version.fence))
        if receipt and (version.shown_content or {}).get("summary") != receipt:
            where = f"task {version.task}"
            yield Violation("effect_once", where, "the stored result is not the call's receipt")


def task_of(call: Record) -> str:
    """The key of a call begins with its task."""
    return call["key"].partition(":")[0]
