"""What must hold within the database, project by project."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from django.conf import settings

from agents.enums import FINAL, AttemptOutcome, TaskStatus
from agents.events import TASK_RETRIED, TASK_STARTED
from agents.models import AgentStatus, Task, TaskAttempt
from audit.models import Event
from audit.verification import verify_stream
from context.models import ArtifactVersion
from hitl.models import Decision, HitlRequest
from ops.invariants.events import check_written
from ops.invariants.projection import Fact, Folded, fold
from ops.invariants.violation import Violation
from projects.enums import ProjectStatus, Role
from projects.models import Membership, Project

STANDS_STILL = {ProjectStatus.DRAFT, ProjectStatus.PAUSED}
OVER = {ProjectStatus.COMPLETED, ProjectStatus.FAILED, ProjectStatus.CANCELLED}
SEEN = ("sequence", "event_type", "event_source", "task", "hitl_request", "data")


def check_project(project: Project) -> Iterator[Violation]:
    yield from _check_chain(project)
    yield from _check_fences(project)
    if Event.objects.filter(project=project.pk, salt="").exists():
        # Payloads were erased: the log no longer says what became of what, only that it was so.
        return
    yield from _check_fold(project)
    yield from _check_decisions(project)
    yield from _check_retries(project)
    yield from check_written(project)


def _check_chain(project: Project) -> Iterator[Violation]:
    found = verify_stream(project.pk)
    if not found.valid:
        detail = f"broken at {found.first_broken_sequence} of {found.head_sequence}"
        yield Violation("chain", str(project.pk), detail)


def facts_of(project_id: UUID) -> Iterator[Fact]:
    events = Event.objects.filter(project=project_id).order_by("sequence")
    for sequence, kind, source, task, request, data in events.values_list(*SEEN).iterator(2000):
        yield Fact(sequence, kind, source, _text(task), _text(request), data)


def _text(id: UUID | None) -> str | None:
    return None if id is None else str(id)


def _check_fold(project: Project) -> Iterator[Violation]:
    folded = fold(facts_of(project.pk))
    for oddity in folded.oddities:
        yield Violation("events_follow", str(project.pk), oddity)
    for what, told, stored in _compare(project, folded):
        if told != stored:
            yield Violation("rows_equal_fold", what, f"the log says {told}, the row {stored}")


def _compare(project: Project, folded: Folded) -> Iterator[tuple[str, str | None, str | None]]:
    yield f"project {project.pk}", folded.project, project.status
    tasks = {str(pk): s for pk, s in project.tasks.values_list("pk", "status")}
    requests = {str(pk): s for pk, s in project.hitl_requests.values_list("pk", "status")}
    board = dict(AgentStatus.objects.filter(project=project).values_list("agent_type", "status"))
    told_board = dict.fromkeys(board, "idle") | folded.board
    for name, told, stored in (
        ("task", folded.tasks, tasks),
        ("request", folded.requests, requests),
        ("agent", told_board, board),
    ):
        for id in sorted(told.keys() | stored.keys()):
            yield f"{name} {id} of project {project.pk}", told.get(id), stored.get(id)


def _check_fences(project: Project) -> Iterator[Violation]:
    """Only the last claim of a task may have written, and each claim was worked on once."""
    attempts = TaskAttempt.objects.filter(task__project=project).select_related("task")
    by_claim = {(one.task_id, one.fence): one for one in attempts}
    for attempt in by_claim.values():
        if attempt.fence > attempt.task.fence:
            yield _older(attempt, f"its fence {attempt.fence} is beyond the task's")
        is_held = attempt.fence == attempt.task.fence and attempt.task.status == TaskStatus.WORKING
        if (attempt.outcome == AttemptOutcome.RUNNING) != is_held:
            yield _older(attempt, f"it is {attempt.outcome}, the task {attempt.task.status}")
    written = ArtifactVersion.objects.filter(artifact__project=project, fence__isnull=False)
    for task, fence in written.values_list("task", "fence").distinct():
        attempt = by_claim.get((task, fence))
        if attempt is None or attempt.outcome != AttemptOutcome.COMPLETED:
            outcome = attempt.outcome if attempt else "unknown"
            yield Violation("no_older_fence", f"task {task}", f"fence {fence} wrote: {outcome}")


def _older(attempt: TaskAttempt, detail: str) -> Violation:
    return Violation("no_older_fence", f"task {attempt.task_id} fence {attempt.fence}", detail)


def _check_decisions(project: Project) -> Iterator[Violation]:
    decisions = Decision.objects.filter(request__project=project)
    persons = Counter(decisions.values_list("request", "decided_by"))
    for (request, person), times in persons.items():
        if times > 1:
            yield Violation("one_decision", f"request {request}", f"{times} by user {person}")
    settling = Counter(decisions.values_list("request", flat=True))
    for request in HitlRequest.objects.filter(project=project, pk__in=settling):
        wanted = getattr(request, "required_approvals", None) or 1
        if settling[request.pk] > wanted:
            detail = f"{settling[request.pk]} decisions, {wanted} wanted"
            yield Violation("one_decision", f"request {request.pk}", detail)


def _check_retries(project: Project) -> Iterator[Violation]:
    """After 1, 2, 4 s and up to a quarter more, unless the provider asked for longer."""
    waits: dict[UUID, tuple[int, int, object]] = {}
    failures: Counter[UUID] = Counter()
    delays = settings.TASK_RETRY_DELAYS_SECONDS
    events = Event.objects.filter(project=project.pk, task__isnull=False).order_by("sequence")
    wanted = (TASK_RETRIED, TASK_STARTED)
    for event in events.filter(event_type__in=wanted):
        if event.event_type == TASK_STARTED:
            yield from _check_wait(event, waits.pop(event.task, None))
        elif "delay_ms" in event.data:
            failures[event.task] += 1
            waits[event.task] = (failures[event.task], event.data["delay_ms"], event.created_at)
            number = failures[event.task]
            if number > len(delays) or event.data["delay_ms"] < delays[number - 1] * 1000:
                detail = f"try {number} after {event.data['delay_ms']} ms"
                yield Violation("retry_delays", f"task {event.task}", detail)
        elif event.data.get("cause") not in {"worker_lost", "worker_stopped"}:
            # A person has put it back, with a fresh budget.
            failures[event.task] = 0


def _check_wait(event: Event, wait) -> Iterator[Violation]:
    if wait is None:
        return
    number, milliseconds, since = wait
    # The row's time is that of its statement, a little before the event's.
    early = since + timedelta(milliseconds=milliseconds - 250) - event.created_at
    if early > timedelta(0):
        yield Violation("retry_delays", f"task {event.task}", f"try {number} came {early} early")


def check_settled(project: Project) -> Iterator[Violation]:
    """After a while without a fault everything is over, or waits for somebody who can see it."""
    if project.attention_since is not None and project.status not in OVER:
        yield Violation("settled", f"project {project.pk}", "the engine has not looked at it")
    if project.status in STANDS_STILL:
        return
    for task in project.tasks.exclude(status__in=FINAL):
        if task.status != TaskStatus.WAITING_FOR_HITL or project.status in OVER:
            yield Violation("settled", f"task {task.pk}", f"{task.status} since {task.created_at}")
        elif not HitlRequest.objects.pending().filter(task=task).exists():
            yield Violation("settled", f"task {task.pk}", "it waits, and nobody is asked")
        elif not _somebody_sees(project):
            yield Violation("settled", f"task {task.pk}", "nobody can see its request")
    is_at_work = Task.objects.filter(project=project).exclude(status__in=FINAL).exists()
    if project.status == ProjectStatus.ACTIVE and not is_at_work:
        yield Violation("settled", f"project {project.pk}", "active, and nothing is to be done")


def _somebody_sees(project: Project) -> bool:
    deciders = Membership.objects.filter(project=project, role__in=[Role.OWNER, Role.APPROVER])
    return deciders.filter(user__is_active=True).exists()
