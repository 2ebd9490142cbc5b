"""Everything that the project's page shows, in a constant number of reads."""

from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from agents.models import AgentStatus, EmergencyStop, Task
from audit.models import Stream
from context.models import Artifact
from hitl.models import HitlRequest
from hitl.policy import policy_of
from orchestrator.engine.progress import progress_of
from orchestrator.models import ProjectImport
from projects.access import DECIDE
from projects.enums import Role
from projects.models import Project
from ui.web.admin.timeline import timeline_of


def everything_about(project: Project, user: Any) -> dict[str, Any]:
    """The context of the project's page."""
    progress = progress_of(project)
    steps = progress["steps"]
    members = list(project.memberships.select_related("user"))
    owners = {one.user_id for one in members if one.role == Role.OWNER}
    may_manage = user.is_superuser or user.pk in owners
    tasks = {task.pk: task for task in _current_tasks(project)}
    for step in steps:
        step["work"] = tasks.get(UUID(step["task"])) if step["task"] else None
    return {
        "project": project,
        "progress": progress,
        "phases": [(phase, list(group)) for phase, group in groupby(steps, itemgetter("phase"))],
        "rewindable": [step for step in steps if step["task"]],
        "side_tasks": [task for task in tasks.values() if not task.step],
        "pending": list(HitlRequest.objects.pending().filter(project=project)[::-1]),
        "decided": _decided(project),
        "agents": list(AgentStatus.objects.filter(project=project)),
        "artifacts": list(Artifact.objects.filter(project=project).order_by("created_at")),
        "origin": _origin(project),
        "timeline": timeline_of(project.pk, steps),
        "head": _head(project),
        "policy": policy_of(project.pk),
        "members": members,
        "verbs": project.TRANSITIONS[project.status] if may_manage else set(),
        "stops": list(EmergencyStop.objects.covering(project.pk).select_related("activated_by")),
        "may_stop": may_manage,
        "may_hand_in": user.pk in {one.user_id for one in members if one.role in DECIDE},
    }


def _current_tasks(project: Project) -> Any:
    current = Task.objects.filter(project=project, is_current=True)
    return current.only("step", "title", "agent_type", "status", "started_at", "finished_at")


def _origin(project: Project) -> ProjectImport | None:
    return ProjectImport.objects.filter(project=project).select_related("imported_by").first()


def _decided(project: Project) -> list[HitlRequest]:
    settled = HitlRequest.objects.filter(project=project).exclude(status="pending")
    return list(settled.prefetch_related("decisions__decided_by").order_by("-resolved_at")[:10])


def _head(project: Project) -> int:
    head = Stream.objects.filter(project=project.pk).values_list("sequence", flat=True).first()
    return head or 0
