"""The list of projects: state, progress, what each waits for and since when, and its cost."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.admin.views.main import ChangeList
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, F, Func, IntegerField, Max, Min, Q, Value
from django.http import HttpRequest

from agents.enums import TaskStatus
from agents.models import EmergencyStop, Task, TaskAttempt
from agents.selectors import USED
from hitl.models import HitlRequest
from orchestrator.models import WorkflowRun
from projects.enums import ProjectStatus
from projects.models import Project
from ui.wording import cost_text, counted

WAITS_FOR_A_VERB = {ProjectStatus.DRAFT: "to be started", ProjectStatus.PAUSED: "to be resumed"}


@dataclass(frozen=True)
class Figures:
    """What a row shows beside the project's own fields. `since`: when the waiting began."""

    completed: int
    total: int | None
    waits_for: str
    since: datetime | None
    request: UUID | None
    cost: str


class ProjectChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        projects = list(self.result_list)
        figures = figures_of(projects)
        for project in projects:
            project.figures = figures[project.pk]
        self.result_list = projects


def figures_of(projects: list[Project]) -> dict[UUID, Figures]:
    """By project, in as many queries for a page of them as for one."""
    ids = [project.pk for project in projects]
    length = Func(
        F("definition__steps"), function="jsonb_array_length", output_field=IntegerField()
    )
    runs = WorkflowRun.objects.filter(project__in=ids).annotate(steps=length)
    totals = dict(runs.values_list("project", "steps"))
    current = Task.objects.filter(project__in=ids, is_current=True).order_by().values("project")
    is_step = Q(status=TaskStatus.COMPLETED) & ~Q(step="")
    tasks: dict[UUID, dict[str, Any]] = {
        row["project"]: row
        for row in current.annotate(
            completed=Count("pk", filter=is_step),
            working=Count("pk", filter=Q(status=TaskStatus.WORKING)),
            since=Min("started_at", filter=Q(status=TaskStatus.WORKING)),
            queued=Min("created_at", filter=Q(status=TaskStatus.PENDING)),
            agent=Max("agent_type", filter=Q(status=TaskStatus.WORKING)),
            agents=ArrayAgg(
                "agent_type",
                filter=Q(status__in=[TaskStatus.WORKING, TaskStatus.PENDING]),
                distinct=True,
                default=Value([]),
            ),
        )
    }
    asked: dict[UUID, list[HitlRequest]] = defaultdict(list)
    pending = HitlRequest.objects.pending().filter(project__in=ids).order_by("created_at", "id")
    for request in pending.only("project", "title", "created_at"):
        asked[request.project_id].append(request)
    stops = list(EmergencyStop.objects.active().filter(Q(project=None) | Q(project__in=ids)))
    attempts = TaskAttempt.objects.filter(task__project__in=ids).order_by()
    used = attempts.values("task__project").annotate(**USED)
    costs = {row["task__project"]: cost_text(row) for row in used}
    figures = {}
    for project in projects:
        task = tasks.get(project.pk, {})
        requests = asked[project.pk]
        # A stop of one agent holds up those alone that have work for it.
        held = {"", *task.get("agents", ())}
        covering = [
            stop
            for stop in stops
            if stop.project_id in (None, project.pk) and stop.agent_type in held
        ]
        waits_for, since = _waiting(project, task, requests, covering)
        figures[project.pk] = Figures(
            completed=task.get("completed", 0),
            total=totals.get(project.pk),
            waits_for=waits_for,
            since=since,
            request=requests[0].pk if requests else None,
            cost=costs.get(project.pk, ""),
        )
    return figures


def _waiting(
    project: Project,
    task: dict[str, Any],
    requests: list[HitlRequest],
    stops: list[EmergencyStop],
) -> tuple[str, datetime | None]:
    """What must happen for it to go on, and since when that has been so."""
    if project.finished_at is not None:
        return project.status_reason, None
    if project.engine_error:
        return f"an operator: {project.engine_error}", project.attention_since
    if stops:
        return "the release of an emergency stop", min(stop.activated_at for stop in stops)
    if requests:
        first = requests[0]
        others = len(requests) - 1
        more = f" and {counted(others, 'more request')}" if others else ""
        return f"a person: {first.title}{more}", first.created_at
    if verb := WAITS_FOR_A_VERB.get(ProjectStatus(project.status)):
        return verb, project.updated_at
    if task.get("working"):
        return f"the {task['agent']}, at work", task["since"]
    if task.get("queued"):
        return "a worker", task["queued"]
    return "", None
