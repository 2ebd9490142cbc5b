"""What must hold within the database, project by project."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model

from agents.enums import FINAL, AttemptOutcome, TaskStatus
from agents.events import TASK_COMPLETED, TASK_PROGRESS, TASK_RETRIED, TASK_STARTED
from agents.models import AgentStatus, TaskAttempt
from audit.enums import EventSource
from audit.models import Event
from audit.verification import verify_stream
from context.events import ARTIFACT_CREATED, ARTIFACT_UPDATED
from context.models import ArtifactVersion
from hitl.events import DECISION_RECORDED
from hitl.models import Decision, HitlRequest
from ops.invariants.projection import Fact, fold
from projects.enums import ProjectStatus, Role
from projects.events import MEMBER_ADDED, MEMBER_REMOVED, PROJECT_CREATED
from projects.models import Membership, Project

INACTIVE = {ProjectStatus.DRAFT, ProjectStatus.PAUSED}
FINISHED = {ProjectStatus.COMPLETED, ProjectStatus.FAILED, ProjectStatus.CANCELLED}
FACT_COLUMNS = ("sequence", "event_type", "event_source", "task", "hitl_request", "data")


@dataclass(frozen=True)
class Violation:
    """`rule` is stable; `where` names the project, request or client."""

    rule: str
    where: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.where}: {self.detail}"


def check_project(project: Project) -> Iterator[Violation]:
    yield from check_chain(project)
    yield from check_fences(project)
    # Where payloads were erased, the log says that something happened, and no longer what.
    if not Event.objects.filter(project=project.pk, salt="").exists():
        for check in CHECKS_OF_PAYLOADS:
            yield from check(project)


def check_chain(project: Project) -> Iterator[Violation]:
    result = verify_stream(project.pk)
    if not result.valid:
        detail = f"broken at {result.first_broken_sequence} of {result.head_sequence}"
        yield Violation("chain", str(project.pk), detail)


def check_fences(project: Project) -> Iterator[Violation]:
    """Only the last claim of a task may have written, and each claim was worked on once."""
    attempts = TaskAttempt.objects.filter(task__project=project).select_related("task")
    by_claim = {(attempt.task_id, attempt.fence): attempt for attempt in attempts}
    for attempt in by_claim.values():
        task = attempt.task
        where = f"task {task.pk} fence {attempt.fence}"
        if attempt.fence > task.fence:
            detail = f"the task's fence is only {task.fence}"
            yield Violation("no_older_fence", where, detail)
        is_leased = attempt.fence == task.fence and task.status == TaskStatus.WORKING
        if (attempt.outcome == AttemptOutcome.RUNNING) != is_leased:
            detail = f"the attempt is {attempt.outcome}, the task {task.status}"
            yield Violation("no_older_fence", where, detail)
    versions = ArtifactVersion.objects.filter(artifact__project=project, fence__isnull=False)
    for task_id, fence in versions.values_list("task", "fence").distinct():
        attempt = by_claim.get((task_id, fence))
        if attempt is None or attempt.outcome != AttemptOutcome.COMPLETED:
            outcome = attempt.outcome if attempt else "unknown"
            detail = f"fence {fence} wrote an artifact, and its attempt is {outcome}"
            yield Violation("no_older_fence", f"task {task_id}", detail)


def check_statuses(project: Project) -> Iterator[Violation]:
    """Each row has the status that follows from the log."""
    events = Event.objects.filter(project=project.pk).order_by("sequence")
    projection = fold(
        Fact(sequence, event_type, source, task and str(task), request and str(request), data)
        for sequence, event_type, source, task, request, data in events.values_list(
            *FACT_COLUMNS
        ).iterator(2000)
    )
    for oddity in projection.oddities:
        yield Violation("events_follow", str(project.pk), oddity)
    if projection.project != project.status:
        detail = f"the log says {projection.project}, the row {project.status}"
        yield Violation("rows_equal_fold", f"project {project.pk}", detail)
    tasks = {str(pk): status for pk, status in project.tasks.values_list("pk", "status")}
    requests = {str(pk): status for pk, status in project.hitl_requests.values_list("pk", "status")}
    agents = dict(AgentStatus.objects.filter(project=project).values_list("agent_type", "status"))
    # An agent that has never done anything is in no event.
    logged_agents = dict.fromkeys(agents, "idle") | projection.agents
    for name, logged, stored in (
        ("task", projection.tasks, tasks),
        ("request", projection.requests, requests),
        ("agent", logged_agents, agents),
    ):
        for id in sorted(logged.keys() | stored.keys()):
            if logged.get(id) != stored.get(id):
                detail = f"the log says {logged.get(id)}, the row {stored.get(id)}"
                yield Violation("rows_equal_fold", f"{name} {id} of project {project.pk}", detail)


def check_decisions(project: Project) -> Iterator[Violation]:
    """One decision a person, no more than the request needs, and each is in the log once."""
    decisions = Decision.objects.filter(request__project=project)
    by_person = Counter(decisions.values_list("request", "decided_by"))
    for (request_id, user_id), count in by_person.items():
        if count > 1:
            yield Violation("one_decision", f"request {request_id}", f"{count} by user {user_id}")
    by_request = Counter(decisions.values_list("request", flat=True))
    for request in HitlRequest.objects.filter(project=project, pk__in=by_request):
        required = getattr(request, "required_approvals", None) or 1
        if by_request[request.pk] > required:
            detail = f"{by_request[request.pk]} decisions, {required} required"
            yield Violation("one_decision", f"request {request.pk}", detail)
    events = Event.objects.filter(project=project.pk, event_type=DECISION_RECORDED)
    stored = Counter(str(pk) for pk in decisions.values_list("pk", flat=True))
    logged = Counter(events.values_list("data__decision", flat=True))
    for id in sorted(stored | logged):
        if stored[id] != logged[id]:
            detail = f"{stored[id]} in the table, {logged[id]} in the log"
            yield Violation("decision_in_log", f"decision {id}", detail)


def check_retries(project: Project) -> Iterator[Violation]:
    """After 1, 2, 4 s and up to a quarter more, unless the provider asked for longer."""
    retries: dict[UUID, Event] = {}
    failures: Counter[UUID] = Counter()
    delays = settings.TASK_RETRY_DELAYS_SECONDS
    events = Event.objects.filter(
        project=project.pk, task__isnull=False, event_type__in=(TASK_RETRIED, TASK_STARTED)
    )
    for event in events.order_by("sequence"):
        where, number = f"task {event.task}", failures[event.task]
        if event.event_type == TASK_STARTED:
            if retry := retries.pop(event.task, None):
                # The row's time is that of its statement, a little before the event's.
                wait = timedelta(milliseconds=retry.data["delay_ms"] - 250)
                early = retry.created_at + wait - event.created_at
                if early > timedelta(0):
                    yield Violation("retry_delays", where, f"try {number} came {early} early")
        elif "delay_ms" in event.data:
            delay = event.data["delay_ms"]
            number += 1
            failures[event.task], retries[event.task] = number, event
            if number > len(delays) or delay < delays[number - 1] * 1000:
                yield Violation("retry_delays", where, f"try {number} after {delay} ms")
        elif event.data.get("cause") not in {"worker_lost", "worker_stopped"}:
            # A person asked for the retry, which starts the counting again.
            failures[event.task] = 0


def check_attempts(project: Project) -> Iterator[Violation]:
    """Each claim is in the log as started once, and each completed one as delivered once."""
    attempts = TaskAttempt.objects.filter(task__project=project)
    completed = attempts.filter(outcome=AttemptOutcome.COMPLETED)
    events = Event.objects.filter(project=project.pk, event_source=EventSource.AGENT)
    started = events.filter(event_type=TASK_STARTED)
    delivered = events.filter(
        event_type__in=(TASK_COMPLETED, TASK_PROGRESS), data__has_key="verdict"
    )
    for name, rows, logged_events in (
        ("claims", attempts, started),
        ("results", completed, delivered),
    ):
        stored = Counter(str(task) for task in rows.values_list("task", flat=True))
        logged = Counter(str(task) for task in logged_events.values_list("task", flat=True))
        for task in sorted(stored | logged):
            if stored[task] != logged[task]:
                detail = f"{stored[task]} {name} in the table, {logged[task]} in the log"
                yield Violation("attempts_equal_log", f"task {task}", detail)


def check_versions(project: Project) -> Iterator[Violation]:
    """The versions that the log names, and each content has the hash that the log gives."""
    events = Event.objects.filter(
        project=project.pk, event_type__in=(ARTIFACT_CREATED, ARTIFACT_UPDATED)
    )
    logged = {
        (data["artifact"], data["version"]): data["sha256"]
        for data in events.values_list("data", flat=True).iterator(2000)
    }
    versions = ArtifactVersion.objects.filter(artifact__project=project)
    for version in versions.order_by("artifact", "number").iterator(100):
        where = f"artifact {version.artifact_id} version {version.number}"
        sha256 = logged.pop((str(version.artifact_id), version.number), None)
        if sha256 != version.sha256:
            detail = f"the log says {sha256}, the row {version.sha256}"
            yield Violation("rows_equal_fold", where, detail)
        elif not version.is_intact:
            yield Violation("rows_equal_fold", where, "its content does not match its hash")
    for artifact, number in logged:
        yield Violation("rows_equal_fold", f"artifact {artifact} version {number}", "it is gone")


def check_members(project: Project) -> Iterator[Violation]:
    """Each member has the role that the log gives; a deleted account has taken its row along."""
    logged: dict[int, str] = {}
    events = Event.objects.filter(
        project=project.pk, event_type__in=(PROJECT_CREATED, MEMBER_ADDED, MEMBER_REMOVED)
    )
    for event in events.order_by("sequence"):
        if event.event_type == PROJECT_CREATED:
            logged[int(event.actor.partition(":")[2])] = Role.OWNER
        elif event.event_type == MEMBER_ADDED:
            logged[event.data["user"]] = event.data["role"]
        else:
            logged.pop(event.data["user"], None)
    stored = dict(Membership.objects.filter(project=project).values_list("user", "role"))
    users = get_user_model().objects.filter(pk__in=stored.keys() | logged.keys())
    for user_id in sorted(users.values_list("pk", flat=True)):
        if stored.get(user_id) != logged.get(user_id):
            detail = f"the log says {logged.get(user_id)}, the row {stored.get(user_id)}"
            where = f"user {user_id} in project {project.pk}"
            yield Violation("rows_equal_fold", where, detail)


CHECKS_OF_PAYLOADS = (
    check_statuses,
    check_decisions,
    check_retries,
    check_attempts,
    check_versions,
    check_members,
)


def check_settled(project: Project) -> Iterator[Violation]:
    """After a while without a fault everything is over, or waits for somebody who can see it."""
    if project.attention_since is not None and project.status not in FINISHED:
        yield Violation("settled", f"project {project.pk}", "the engine has not looked at it")
    if project.status in INACTIVE:
        return
    open_tasks = project.tasks.exclude(status__in=FINAL)
    deciders = Membership.objects.filter(
        project=project, role__in=[Role.OWNER, Role.APPROVER], user__is_active=True
    )
    for task in open_tasks:
        if task.status != TaskStatus.WAITING_FOR_HITL or project.status in FINISHED:
            yield Violation("settled", f"task {task.pk}", f"{task.status} since {task.created_at}")
        elif not HitlRequest.objects.pending().filter(task=task).exists():
            yield Violation("settled", f"task {task.pk}", "it waits, and nobody is asked")
        elif not deciders.exists():
            yield Violation("settled", f"task {task.pk}", "nobody can see its request")
    if project.status == ProjectStatus.ACTIVE and not open_tasks.exists():
        yield Violation("settled", f"project {project.pk}", "active, but without an open task")
