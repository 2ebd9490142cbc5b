"""Everything that the project's page shows, in a constant number of reads."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from agents.models import AgentStatus, EmergencyStop, Task, TaskAttempt
from agents.selectors import USED, latest_tool_uses
from audit.models import Event
from context.models import Artifact
from hitl.agent_actions.standing_approvals import open_standing_approvals
from hitl.models import HitlRequest
from hitl.policy import policy_of, with_floor
from hitl.selectors import loosenings_of, pending_loosening
from orchestrator.engine.progress import progress_of
from orchestrator.models import ProjectImport
from projects.access import DECIDE
from projects.enums import Role
from projects.floor import installation_floor
from projects.models import Project
from ui.web.inbox.inbox import stream_heads
from ui.wording import (
    ON_TIMEOUT,
    changes_text,
    cost_text,
    event_message,
    floor_text,
    loosening_text,
)

DECIDED_MAX = 10
# Those who have more waiting decide on them in the inbox.
PENDING_MAX = 20
TOOL_USES_MAX = 20
TIMELINE_MAX = 80
# Of the steps as they stand; a step is tried a handful of times.
ATTEMPTS_MAX = 300
# Not every event has a message, so more are read than are shown.
TIMELINE_READ = 3 * TIMELINE_MAX
ICONS = {
    "!": "warning",
    "✓": "check_circle",
    "+": "description",
    "-": "history",
    "?": "pan_tool",
    "": "circle",
}


@dataclass(frozen=True)
class TimelineEntry:
    event: Event
    text: str
    icon: str
    tone: str


def project_context(project: Project, user: Any) -> dict[str, Any]:
    progress = progress_of(project)
    steps = progress["steps"]
    members = list(project.memberships.select_related("user"))
    owners = {member.user_id for member in members if member.role == Role.OWNER}
    deciders = {member.user_id for member in members if member.role in DECIDE}
    may_manage = user.is_superuser or user.pk in owners
    current = Task.objects.filter(project=project, is_current=True).only(
        "step", "title", "agent_type", "status", "started_at", "finished_at"
    )
    tasks = {task.pk: task for task in current}
    for step in steps:
        step["work"] = tasks.get(UUID(step["task"])) if step["task"] else None
    attempts, cost = attempts_of(project)
    for step in steps:
        step["attempts"] = attempts.get(step["work"].pk, []) if step["work"] else []
    titles = {step["task"]: step["title"] for step in steps}
    retries = [
        wait | {"title": titles.get(wait["task"]) or tasks[UUID(wait["task"])].title}
        for wait in progress["waiting_for"]
        if wait["last_failure"]
    ]
    unserved = [
        wait | {"task": tasks[UUID(wait["task"])]}
        for wait in progress["waiting_for"]
        if wait["no_worker_since"]
    ]
    requests = HitlRequest.objects.filter(project=project)
    waiting = list(requests.pending().order_by("created_at", "id")[: PENDING_MAX + 1])
    settled = requests.exclude(status="pending").prefetch_related(
        "decisions__decided_by", "decisions__on_behalf_of"
    )
    imported = ProjectImport.objects.filter(project=project).select_related("imported_by")
    policy = with_floor(policy_of(project.pk), installation_floor())
    proposal = pending_loosening(project)
    return {
        "project": project,
        "progress": progress,
        "cost": cost,
        "phases": [(phase, list(group)) for phase, group in groupby(steps, itemgetter("phase"))],
        "rewindable": [step for step in steps if step["task"]],
        "retries": retries,
        "unserved": unserved,
        "side_tasks": [task for task in tasks.values() if not task.step],
        "pending": waiting[:PENDING_MAX],
        "more_pending": len(waiting) > PENDING_MAX,
        "standing": open_standing_approvals(project),
        "decided": list(settled.order_by("-resolved_at")[:DECIDED_MAX]),
        "agents": list(AgentStatus.objects.filter(project=project)),
        "tool_uses": latest_tool_uses(project, TOOL_USES_MAX),
        "artifacts": list(Artifact.objects.filter(project=project).order_by("created_at")),
        "origin": imported.first(),
        "timeline": timeline_of(project.pk, steps),
        "head": stream_heads([project.pk])[str(project.pk)],
        "policy": policy,
        "floor": floor_text(policy.floor),
        "proposal": proposal,
        "proposal_text": changes_text(proposal.changes) if proposal else "",
        "loosenings": [loosening_text(loosening) for loosening in loosenings_of(project)]
        if project.policy_loosened_at
        else [],
        "on_timeout": ON_TIMEOUT[policy.on_timeout],
        "members": members,
        "verbs": project.TRANSITIONS[project.status] if may_manage else set(),
        "stops": list(EmergencyStop.objects.covering(project.pk).select_related("project")),
        "may_manage": may_manage,
        "may_upload": user.pk in deciders,
    }


def attempts_of(project: Project) -> tuple[dict[UUID, list[TaskAttempt]], str]:
    """The attempts of current work by task, oldest first; and what all work has cost."""
    rows = TaskAttempt.objects.filter(task__project=project)
    current = rows.filter(task__is_current=True).order_by("-pk")[:ATTEMPTS_MAX]
    attempts: dict[UUID, list[TaskAttempt]] = defaultdict(list)
    for attempt in reversed(current):
        attempts[attempt.task_id].append(attempt)
    used = rows.aggregate(**USED)
    return attempts, cost_text(used) if used["attempts"] else ""


def timeline_of(project_id: UUID, steps: list[dict[str, Any]]) -> list[TimelineEntry]:
    """Newest first; the mark of a message is an icon."""
    titles = {step["step"]: step["title"] for step in steps}
    entries = []
    for event in Event.objects.filter(project=project_id).order_by("-sequence")[:TIMELINE_READ]:
        if message := event_message(event, titles):
            entries.append(TimelineEntry(event, message.text, ICONS[message.mark], message.tone))
    return entries[:TIMELINE_MAX]
