"""Advance a project: load its state, plan, and act through the services. Idempotent."""

from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import Counter, Histogram

from agents.enums import RequestKind, TaskStatus
from agents.models import Task
from agents.services import create_task
from agents.stops.queries import all_agents
from audit.actors import Actor
from audit.events import SYSTEM_ERROR
from audit.request_context import origin
from context.selectors import sha256_of_brief
from core.errors import DomainError
from core.failpoints import failpoint
from core.metrics import SHORT_BUCKETS
from core.tracing import span
from hitl.agent_actions.own_agents import ask_for_task
from hitl.services import open_request, record_change, supersede_request
from orchestrator.engine.briefs import store_brief
from orchestrator.engine.definition import Definition, definition_hash, gate_for, load_definition
from orchestrator.engine.handoff import build_handoff
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
from orchestrator.engine.state import (
    Loaded,
    definition_of,
    is_asked,
    is_outdated,
    load,
    open_side_tasks,
)
from orchestrator.models import WorkflowRun
from projects.enums import ProjectStatus
from projects.integrity import ContentChanged
from projects.models import Project
from projects.services import complete_project, fail_project
from projects.transaction import ProjectTransaction

ENGINE = Actor.of_system("engine")
# Before members are told. The sweep retries every few seconds, and most faults pass by then.
FAILURES_BEFORE_REPORT = 3
ATTENTION = ["attention_since", "engine_failures", "engine_error"]

RESUME_SECONDS = Histogram(
    "paraph_resume_seconds",
    "From the decision or result that a step waited for to the step's task.",
    buckets=SHORT_BUCKETS,
)
ENGINE_FAILURES = Counter("paraph_engine_failures", "Advances that failed.")


def advance_project(project_id: UUID) -> int:
    """Advance in a transaction of its own, for the sweep. Returns the number of actions."""
    try:
        with ProjectTransaction(project_id, ENGINE) as tx:
            tx.request_advance()
    except DomainError:
        # The project is gone, or was erased.
        return 0
    return tx.actions


def advance(tx: ProjectTransaction) -> int:
    """Advance within the transaction of a change. Returns the number of actions."""
    # What follows is done by the engine, not by the person or agent whose change led to it.
    actor, tx.actor = tx.actor, ENGINE
    try:
        with origin(channel="engine"), span("advance", {"paraph.project": str(tx.project.pk)}):
            return _Advance(tx).act()
    finally:
        tx.actor = actor


def note_failure(tx: ProjectTransaction, error: Exception) -> None:
    """Mark the project for the sweep, and record the error once it has failed several times."""
    ENGINE_FAILURES.inc()
    project = tx.project
    project.attention_since = Now()
    project.engine_failures += 1
    if isinstance(error, ContentChanged):
        # Another try would not help, and people have to know at once.
        project.engine_error = error.detail
        project.save(update_fields=ATTENTION)
        record_change(tx, error)
        return
    if project.engine_failures >= FAILURES_BEFORE_REPORT:
        project.engine_error = (
            f"{type(error).__name__} in the engine; the log of the server has it."
        )
    project.save(update_fields=ATTENTION)
    if project.engine_failures == FAILURES_BEFORE_REPORT:
        detail = project.engine_error
        tx.record(SYSTEM_ERROR, actor=ENGINE, code="engine_error", detail=detail)


def open_run(tx: ProjectTransaction, definition: Definition) -> WorkflowRun:
    """Start a run that keeps this definition and the brief as it is now."""
    brief = store_brief(tx)
    run = WorkflowRun.objects.create(
        project=tx.project,
        workflow=definition.name,
        definition=definition.to_json(),
        definition_hash=definition_hash(definition),
        brief_artifact=brief.pk,
        brief_version=brief.accepted_version,
    )
    run.brief_sha256 = sha256_of_brief(tx.project.brief)
    return run


class _Advance:
    """One advance of a project, under its lock."""

    run: WorkflowRun | None = None
    definition: Definition | None = None

    def __init__(self, tx: ProjectTransaction) -> None:
        self.tx = tx
        self.project: Project = tx.project

    def act(self) -> int:
        """Returns the number of actions."""
        failpoint("in_advance")
        project = self.project
        if project.attention_since is not None or project.engine_failures:
            project.attention_since, project.engine_failures, project.engine_error = None, 0, ""
            project.save(update_fields=ATTENTION)
        if project.finished_at is not None:
            return 0
        loaded = load(project)
        if project.status != ProjectStatus.DRAFT:
            self.run = loaded.run or open_run(self.tx, load_definition(project.workflow))
            self.definition = definition_of(self.run)
        self.stopped = loaded.stopped
        self.starts_nothing = project.status == ProjectStatus.PAUSED or self.stopped == all_agents()
        count = self._advance_side_tasks(loaded)
        while actions := self._plan(loaded):
            count += len(actions)
            for action in actions:
                self._apply(action, loaded)
            # Only a rewind leads to further actions.
            if not any(isinstance(action, Rewind) for action in actions):
                break
            loaded = load(project)
            # A rewind by people takes the brief as it is now.
            self.run.brief_sha256 = loaded.run.brief_sha256
        return count

    def _plan(self, loaded: Loaded) -> list[Action]:
        if self.definition is None or self.project.finished_at is not None:
            return []
        if not self.definition.steps:
            # Only an owner knows when nothing more will be asked.
            return []
        actions = plan(self.definition, loaded.state)
        if self.starts_nothing:
            # Nothing starts in a paused or stopped project, but a rejection still ends it.
            return [action for action in actions if isinstance(action, FailRun)]
        if actions == [CompleteRun()] and open_side_tasks(loaded):
            return []
        stopped = {step.id for step in self.definition.steps if step.agent in self.stopped}
        return [
            action
            for action in actions
            if not (isinstance(action, StartStep) and action.step in stopped)
        ]

    def _apply(self, action: Action, loaded: Loaded) -> None:
        match action:
            case StartStep(step):
                with span("start step", {"paraph.step": step}) as step_span:
                    step_span.add({"paraph.resume_seconds": self._start(step, loaded)})
            case OpenRequest(step, _):
                self._ask(loaded.tasks[step])
            case SupersedeRequest(step, _):
                self._replace_request(loaded.tasks[step], loaded)
            case Rewind():
                apply_rewind(self.tx, self.run, action, loaded.tasks)
            case CompleteRun():
                complete_project(self.tx)
            case FailRun(step, reason):
                fail_project(self.tx, f"{step}: {reason}" if reason else f"{step} failed")

    def _start(self, step_id: str, loaded: Loaded) -> float | None:
        """Create the step's task. Returns the seconds since all it waited for was done."""
        step = self.definition.step(step_id)
        previous = None
        if self.run.is_rewound:
            rounds = Task.objects.filter(project=self.project, step=step_id)
            previous = rounds.order_by("-round").first()
        handoff = build_handoff(self.run, self.definition, step, loaded.tasks, previous)
        create_task(
            self.tx,
            agent_type=step.agent,
            title=step.title,
            instructions=step.instructions,
            step=step.id,
            phase=step.phase,
            round=previous.round + 1 if previous else 1,
            answers=handoff["answers"],
            gate=gate_for(step, loaded.oversight_level),
            escalates_on_fail=escalates_on_fail(self.definition, step_id, self.run.loops),
            handoff=handoff,
        )
        # Done by its agent, or decided by a person.
        needed = [*(loaded.tasks[need] for need in step.needs), *([previous] if previous else [])]
        finished_at = [task.finished_at for task in needed if task.finished_at]
        if not finished_at:
            return None
        seconds = max(0.0, (timezone.now() - max(finished_at)).total_seconds())
        self.tx.on_commit(lambda: RESUME_SECONDS.observe(seconds))
        return seconds

    def _ask(self, task: Task) -> None:
        if task.waits_for == RequestKind.ACTION_APPROVAL:
            ask_for_task(self.tx, task)
        else:
            open_request(self.tx, task)

    def _replace_request(self, task: Task, loaded: Loaded) -> None:
        supersede_request(self.tx, loaded.requests[str(task.pk)])
        open_request(self.tx, task)

    def _advance_side_tasks(self, loaded: Loaded) -> int:
        """Tasks outside of the workflow: open their requests; one that failed stops the project."""
        count = 0
        for task in loaded.side_tasks:
            request = loaded.requests.get(str(task.pk))
            if task.status == TaskStatus.FAILED:
                fail_project(self.tx, task.stop_reason or "a task failed")
                return count + 1
            if self.starts_nothing:
                continue
            if task.status != TaskStatus.WAITING_FOR_HITL:
                continue
            if request is None:
                if not is_asked(task):
                    self._ask(task)
                    count += 1
            elif is_outdated(task, request):
                self._replace_request(task, loaded)
                count += 1
        return count
