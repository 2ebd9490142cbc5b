"""What people and agents wrote, held against the log: nothing without its event, no event without
what it tells of."""

import hashlib
from collections import Counter
from collections.abc import Iterator

from django.contrib.auth import get_user_model

from agents.enums import AttemptOutcome
from agents.events import TASK_COMPLETED, TASK_PROGRESS, TASK_STARTED
from agents.models import TaskAttempt
from audit.canonical import canonical
from audit.enums import EventSource
from audit.models import Event
from context.events import ARTIFACT_CREATED, ARTIFACT_UPDATED
from context.models import ArtifactVersion
from hitl.events import DECISION_RECORDED
from hitl.models import Decision
from ops.invariants.violation import Violation
from projects import events as project_events
from projects.enums import Role
from projects.events import MEMBER_ADDED, MEMBER_REMOVED, PROJECT_CREATED
from projects.models import Membership, Project

WRITTEN = (ARTIFACT_CREATED, ARTIFACT_UPDATED)
JOINED = (PROJECT_CREATED, MEMBER_ADDED, MEMBER_REMOVED)
DELIVERED = (TASK_COMPLETED, TASK_PROGRESS)


def check_written(project: Project) -> Iterator[Violation]:
    """For a project whose log has all of its payloads."""
    yield from _check_decisions(project)
    yield from _check_attempts(project)
    yield from _check_versions(project)
    yield from _check_members(project)


def _check_decisions(project: Project) -> Iterator[Violation]:
    decisions = Decision.objects.filter(request__project=project)
    made = Counter(str(pk) for pk in decisions.values_list("pk", flat=True))
    events = Event.objects.filter(project=project.pk, event_type=DECISION_RECORDED).values_list(
        "data__decision", flat=True
    )
    told = Counter(events)
    for id in sorted(made | told):
        if made[id] != told[id]:
            detail = f"{made[id]} in the table, {told[id]} in the log"
            yield Violation("decision_in_log", f"decision {id}", detail)


def _check_attempts(project: Project) -> Iterator[Violation]:
    """Each claim began once, and each one that delivered did so once."""
    attempts = TaskAttempt.objects.filter(task__project=project)
    begun = Counter(str(task) for task in attempts.values_list("task", flat=True))
    done = attempts.filter(outcome=AttemptOutcome.COMPLETED)
    delivered = Counter(str(task) for task in done.values_list("task", flat=True))
    events = Event.objects.filter(project=project.pk, event_source=EventSource.AGENT)
    started = _by_task(events.filter(event_type=TASK_STARTED))
    results = events.filter(event_type__in=DELIVERED, data__has_key="verdict")
    told = _by_task(results)
    for what, stored, logged in (("claims", begun, started), ("results", delivered, told)):
        for task in sorted(stored | logged):
            if stored[task] != logged[task]:
                detail = f"{stored[task]} {what} in the table, {logged[task]} in the log"
                yield Violation("attempts_equal_log", f"task {task}", detail)


def _by_task(events) -> Counter[str]:
    return Counter(str(task) for task in events.values_list("task", flat=True))


def _check_versions(project: Project) -> Iterator[Violation]:
    """The same versions, and contents that have the hash which the log tells."""
    told = _told_versions(project)
    versions = ArtifactVersion.objects.filter(artifact__project=project)
    for version in versions.order_by("artifact", "number").iterator(100):
        where = f"artifact {version.artifact_id} version {version.number}"
        logged = told.pop((str(version.artifact_id), version.number), None)
        if logged != version.sha256:
            detail = f"the log says {logged}, the row {version.sha256}"
            yield Violation("rows_equal_fold", where, detail)
        elif hashlib.sha256(canonical(version.content)).hexdigest() != version.sha256:
            yield Violation("rows_equal_fold", where, "its content is not what its hash says")
    for artifact, number in told:
        yield Violation("rows_equal_fold", f"artifact {artifact} version {number}", "it is gone")


def _told_versions(project: Project) -> dict[tuple[str, int], str]:
    events = Event.objects.filter(project=project.pk, event_type__in=WRITTEN)
    data = events.values_list("data", flat=True).iterator(2000)
    return {(one["artifact"], one["version"]): one["sha256"] for one in data}


def _check_members(project: Project) -> Iterator[Violation]:
    """Who may do what. Who is missing with their account took the row along."""
    roles = dict(Membership.objects.filter(project=project).values_list("user", "role"))
    told = _told_roles(project)
    named = roles.keys() | told.keys()
    accounts = get_user_model().objects.filter(pk__in=named).values_list("pk", flat=True)
    for user in sorted(accounts):
        if roles.get(user) != told.get(user):
            detail = f"the log says {told.get(user)}, the row {roles.get(user)}"
            where = f"user {user} in project {project.pk}"
            yield Violation("rows_equal_fold", where, detail)


def _told_roles(project: Project) -> dict[int, str]:
    roles: dict[int, str] = {}
    events = Event.objects.filter(project=project.pk, event_type__in=JOINED).order_by("sequence")
    for kind, actor, data in events.values_list("event_type", "actor", "data"):
        match kind:
            case project_events.PROJECT_CREATED:
                roles[int(actor.partition(":")[2])] = Role.OWNER
            case project_events.MEMBER_ADDED:
                roles[data["user"]] = data["role"]
            case project_events.MEMBER_REMOVED:
                roles.pop(data["user"], None)
    return roles
