"""The small hand: look at what is, plan, act through the services. Again, it does nothing."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from agents.enums import TaskStatus
from agents.models import Task
from agents.services import create_task
from agents.stops.queries import all_agents, stopped_agents
from audit.actors import Actor
from audit.services import Draft, record_all
from core.sql import fetch_row
from core.tracing import span
from hitl.services import open_request, supersede_request
from orchestrator.engine.briefs import hand_in_brief
from orchestrator.engine.definition import Definition, definition_hash, gate_for, load_definition
from orchestrator.engine.handoff import build_handoff
from orchestrator.engine.metrics import RESUME_SECONDS
from orchestrator.engine.plan import (
    Action,
    CompleteRun,
    FailRun,
    OpenRequest,
    Rewind,
    StartStep,
    SupersedeRequest,
    escalates_on_fail,
    plan,
)
from orchestrator.engine.rewind import apply_rewind
from orchestrator.engine.state import Loaded, definition_of, is_outdated, load, open_side_tasks
from orchestrator.models import WorkflowRun
from projects.enums import ProjectStatus
from projects.models import Project
from projects.services import complete_project, fail_project

ENGINE = Actor.of_system("engine")

RUN = "SELECT {columns} FROM workflow_runs WHERE project_id = %s"
# An UPDATE locks the row as `lock_project` does.
LOCK_AND_ATTEND = """
    UPDATE projects SET attention_since = NULL, engine_failures = 0, engine_error = ''
    WHERE id = %s RETURNING {columns}
"""


@transaction.atomic
def advance_project(project_id: UUID) -> int:
    """Do what is next in a project; how many actions there were."""
    project = fetch_row(Project, LOCK_AND_ATTEND, [project_id])
    if project is None or project.finished_at is not None:
        return 0
    run = None if project.status == ProjectStatus.DRAFT else _get_run(project)
    return _Hand(project, run).act()


def _get_run(project: Project) -> WorkflowRun:
    run = fetch_row(WorkflowRun, RUN, [project.pk])
    return run or open_run(project, load_definition(project.workflow))


def open_run(project: Project, definition: Definition) -> WorkflowRun:
    """Pin the definition, and the brief. Within a transaction."""
    brief = hand_in_brief(project)
    return WorkflowRun.objects.create(
        project=project,
        workflow=definition.name,
        definition=definition.to_json(),
        definition_hash=definition_hash(definition),
        brief_artifact=brief.pk,
        brief_version=brief.accepted_version,
    )


class _Hand:
    """One advance of one project, under its lock."""

    def __init__(self, project: Project, run: WorkflowRun | None) -> None:
        self.project = project
        self.run = run
        self.definition: Definition | None = definition_of(run) if run else None
        self.stopped = stopped_agents(project.pk)
        self.is_held = project.status == ProjectStatus.PAUSED or self.stopped == all_agents()
        self.drafts: list[Draft] = []

    def act(self) -> int:
        loaded, count = load(self.project, self.run), 0
        count += self._serve_side_tasks(loaded)
        while actions := self._plan(loaded):
            count += len(actions)
            for action in actions:
                self._apply(action, loaded)
            # Only a rewind makes room for more; the rest is the last word for now.
            if not any(isinstance(action, Rewind) for action in actions):
                break
            loaded = load(self.project, self.run)
        self._record()
        return count

    def _plan(self, loaded: Loaded) -> list[Action]:
        if self.definition is None or self.project.finished_at is not None:
            return []
        actions = plan(self.definition, loaded.state)
        if self.is_held:
            # Nothing new starts in a paused or stopped project, but a reject ends it.
            return [action for action in actions if isinstance(action, FailRun)]
        if actions == [CompleteRun()] and open_side_tasks(loaded):
            return []
        return [action for action in actions if not self._is_stopped(action)]

    def _is_stopped(self, action: Action) -> bool:
        if not isinstance(action, StartStep):
            return False
        return self.definition.step(action.step).agent in self.stopped

    def _apply(self, action: Action, loaded: Loaded) -> None:
        match action:
            case StartStep(step):
                with span("start step", {"paraph.step": step}) as started:
                    started.add({"paraph.resume_seconds": self._start(step, loaded)})
            case OpenRequest(step, _):
                self._ask(loaded.tasks[step])
            case SupersedeRequest(step, _):
                self._ask_anew(loaded.tasks[step], loaded)
            case Rewind():
                self.drafts += apply_rewind(self.project, self.run, action, loaded.tasks, ENGINE)
            case CompleteRun():
                self._record()
                complete_project(project_id=self.project.pk, actor=ENGINE)
            case FailRun(step, reason):
                self._fail(f"{step}: {reason}" if reason else f"{step} failed")

    def _start(self, step_id: str, loaded: Loaded) -> float | None:
        """How many seconds after what it waited for was settled, if it waited."""
        step = self.definition.step(step_id)
        before = self._round_before(step_id)
        handoff = build_handoff(self.run, self.definition, step, loaded.tasks, before)
        _, drafts = create_task(
            project=self.project,
            actor=ENGINE,
            agent_type=step.agent,
            title=step.title,
            instructions=step.instructions,
            step=step.id,
            phase=step.phase,
            round=before.round + 1 if before else 1,
            answers=handoff["answers"],
            gate=gate_for(step, self.project.oversight_level),
            escalates_on_fail=escalates_on_fail(self.definition, step_id, self.run.loops),
            handoff=handoff,
        )
        self.drafts += drafts
        waited_for = [*(loaded.tasks[need] for need in step.needs), *([before] if before else [])]
        return _note_resumed([task.finished_at for task in waited_for])

    def _round_before(self, step_id: str) -> Task | None:
        if not self.run.is_rewound:
            return None
        rounds = Task.objects.filter(project=self.project, step=step_id)
        return rounds.order_by("-round").first()

    def _ask(self, task: Task) -> None:
        _, drafts = open_request(task=task, actor=ENGINE)
        self.drafts += drafts

    def _ask_anew(self, task: Task, loaded: Loaded) -> None:
        self.drafts += supersede_request(request=loaded.requests[str(task.pk)], actor=ENGINE)
        self._ask(task)

    def _serve_side_tasks(self, loaded: Loaded) -> int:
        """Work outside of the workflow: ask where it waits; a reject stops the project."""
        count = 0
        for task in loaded.side_tasks:
            request = loaded.requests.get(str(task.pk))
            if task.status == TaskStatus.FAILED:
                self._fail(task.stop_reason or "a task failed")
                return count + 1
            if self.is_held:
                continue
            if task.status != TaskStatus.WAITING_FOR_HITL:
                continue
            if request is None:
                self._ask(task)
                count += 1
            elif is_outdated(task, request):
                self._ask_anew(task, loaded)
                count += 1
        return count

    def _fail(self, reason: str) -> None:
        self._record()
        self.project = fail_project(project_id=self.project.pk, actor=ENGINE, reason=reason)

    def _record(self) -> None:
        if self.drafts:
            record_all(self.project.pk, self.drafts)
            self.drafts = []


def _note_resumed(settled_at: list[datetime | None]) -> float | None:
    """Since what the step waited for was settled: by a person, or by its agent."""
    if not any(settled_at):
        return None
    seconds = max(0.0, (timezone.now() - max(filter(None, settled_at))).total_seconds())
    transaction.on_commit(lambda: RESUME_SECONDS.observe(seconds), robust=True)
    return seconds
