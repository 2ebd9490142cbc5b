"""Reads of tasks, the status board and its history."""

import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents.enums import TaskStatus
from agents.events import AGENT_STATUS_CHANGED
from agents.external import external_types
from agents.models import AgentStatus, EmergencyStop, Task, ToolUse, WorkspaceFile
from audit.models import Event
from audit.rows import RowProblem
from projects.access import get_visible_project
from projects.models import Project

LOOK_SECONDS = 0.05
# A worker that waits for work comes again at least as often.
WORKER_COMES = timedelta(seconds=60)
# What attempts took together; a call whose price is not known is no free call.
USED = {
    "attempts": Count("pk"),
    "tokens": Coalesce(Sum("input_tokens"), 0) + Coalesce(Sum("output_tokens"), 0),
    "cost": Sum("cost_micros"),
    "unknown_costs": Count("pk", filter=Q(cost_micros=None, calls__gt=0)),
}


def no_worker_since(project: Project, tasks: Iterable[Task]) -> dict[str, datetime]:
    """By task that waits for a worker elsewhere: since when nobody has come for work of its agent.

    Tasks that are not due, and those whose agent somebody waits to serve, are left out.
    """
    external = set(external_types(project))
    now = timezone.now()
    due = [
        task
        for task in tasks
        if task.status == TaskStatus.PENDING
        and task.agent_type in external
        and task.run_after <= now
    ]
    if not due:
        return {}
    board = AgentStatus.objects.filter(project=project, agent_type__in=external)
    seen = dict(board.values_list("agent_type", "worker_seen_at"))
    since: dict[str, datetime] = {}
    for task in due:
        came_at = seen.get(task.agent_type)
        if came_at is None or came_at < now - WORKER_COMES:
            since[str(task.pk)] = max(came_at or task.run_after, task.run_after)
    return since


def tasks_for(user: Any) -> QuerySet[Task]:
    """What the user may see, newest first, each with its attempts."""
    tasks = Task.objects.visible_to(user).select_related("created_by")
    return tasks.prefetch_related("attempts").order_by("-created_at", "-id")


def tool_uses_of(task: Task) -> QuerySet[ToolUse]:
    """Every call of a tool while this work was done, oldest first."""
    return ToolUse.objects.filter(task=task).order_by("number")


def latest_tool_uses(project: Project, count: int) -> list[ToolUse]:
    """Of the current tasks of a project, newest first."""
    uses = ToolUse.objects.filter(task__project=project, task__is_current=True)
    return list(uses.select_related("task").order_by("-id")[:count])


def workspace_of(task: Task) -> QuerySet[WorkspaceFile]:
    """The newest version of each file that is there, by path."""
    newest = WorkspaceFile.objects.filter(task=task).order_by("path", "-number").distinct("path")
    files = WorkspaceFile.objects.filter(pk__in=newest.values("pk"), is_deleted=False)
    return files.order_by("path")


def task_list_for(user: Any) -> QuerySet[Task]:
    """As `tasks_for`, without what is only of interest one by one."""
    tasks = Task.objects.visible_to(user).select_related("created_by")
    return tasks.defer("handoff").order_by("-created_at", "-id")


def tasks_changed_behind_us(project_id: UUID | None) -> Iterator[RowProblem]:
    """Whose agent would be given something else than was pinned. For verification: it reads all."""
    tasks = Task.objects.filter(project__erased_at=None).exclude(assignment_sha256="")
    if project_id is not None:
        tasks = tasks.filter(project=project_id)
    fields = ("project", "instructions", "handoff", "answers", "assignment_sha256")
    for task in tasks.only(*fields).order_by("pk").iterator(chunk_size=200):
        if task.assignment_digest != task.assignment_sha256:
            problem = "what its agent is given does not have its hash"
            yield RowProblem(task.project_id, f"task {task.pk}", problem)


def board_for(user: Any) -> QuerySet[AgentStatus]:
    """By project, the newest first, in the order of the work."""
    visible = Project.objects.visible_to(user)
    return AgentStatus.objects.filter(project__in=visible).order_by("-project_id", "id")


def history_for(user: Any, *, project_id: Any, agent_type: str) -> QuerySet[Event]:
    """Every change of an agent's status in a project, newest first. Raises NotFound."""
    project = get_visible_project(user, project_id)
    changes = Event.objects.filter(
        project=project.pk,
        event_type=AGENT_STATUS_CHANGED,
        data__agent_type=agent_type,
    )
    return changes.order_by("-sequence")


def stops_for(user: Any) -> QuerySet[EmergencyStop]:
    """Emergency stops that concern the user, newest first, with their acknowledgements."""
    stops = EmergencyStop.objects.visible_to(user)
    stops = stops.select_related("project", "activated_by", "released_by")
    return stops.prefetch_related("acknowledgements").order_by("-activated_at", "-id")


def wait_for_acknowledgements(stop_id: UUID, seconds: float) -> EmergencyStop:
    """The stop once every worker that was there has stopped, at the latest after `seconds`."""
    limit = time.monotonic() + seconds
    stops = EmergencyStop.objects.select_related("project").prefetch_related("acknowledgements")
    while (stop := stops.get(pk=stop_id)).missing_workers and time.monotonic() < limit:
        time.sleep(LOOK_SECONDS)
    return stop
