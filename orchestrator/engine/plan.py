"""What to do next in a run: a pure function of its definition and its state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agents.enums import TASK_WAITS, TaskStatus
from orchestrator.engine.definition import Definition

Cause = Literal["loop", "changes_requested", "person", "stopped"]


@dataclass(frozen=True)
class StepState:
    """A step, by its current task. Without a current task: the default."""

    status: str = ""
    round: int = 0
    task: str | None = None
    verdict: str = ""
    changes_requested: bool = False
    open_request: bool = False
    subject_changed: bool = False
    request_kind: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if self.status and self.status not in TaskStatus.values:
            raise ValueError(f"unknown task status {self.status!r}")
        is_waiting = self.status == TaskStatus.WAITING_FOR_HITL
        if is_waiting and self.request_kind not in TASK_WAITS:
            raise ValueError(f"a waiting task with an unknown request kind {self.request_kind!r}")

    @property
    def is_done(self) -> bool:
        """Steps that depend on it may start."""
        return self.status == TaskStatus.COMPLETED and self.verdict != "fail"


NOT_BEGUN = StepState()


@dataclass(frozen=True)
class RunState:
    """`loops`: automatic rewinds so far, by the step that failed."""

    steps: Mapping[str, StepState] = field(default_factory=dict)
    loops: Mapping[str, int] = field(default_factory=dict)
    is_over: bool = False

    def of(self, step_id: str) -> StepState:
        return self.steps.get(step_id, NOT_BEGUN)


@dataclass(frozen=True)
class StartStep:
    """Create the step's task for the next round."""

    step: str


@dataclass(frozen=True)
class OpenRequest:
    """Ask a person about the waiting task."""

    step: str
    kind: str


@dataclass(frozen=True)
class SupersedeRequest:
    """The work has changed since the request was opened: supersede it, and open a new one."""

    step: str
    kind: str


@dataclass(frozen=True)
class Rewind:
    """Drop the current tasks of `to` and its dependents. The step `because_of` has the reason."""

    to: str
    because_of: str
    cause: Cause


@dataclass(frozen=True)
class CompleteRun:
    """Every step is done."""


@dataclass(frozen=True)
class FailRun:
    """A task failed for good."""

    step: str
    reason: str


Action = StartStep | OpenRequest | SupersedeRequest | Rewind | CompleteRun | FailRun


@dataclass(frozen=True)
class Waiting:
    """What a step waits for, and whose turn it is.

    `what`: `agent_work`, a request kind, `retry_or_rewind` (cancelled by a person) or `rewind`
    (its verdict was "fail", no round is left, and nobody was asked).
    """

    step: str
    what: str
    who: Literal["agent", "person", "operator"]
    task: str | None = None


def plan(definition: Definition, state: RunState) -> list[Action]:
    """All actions that can be taken now. Empty when the run is over or waits; see `waiting_for`."""
    if state.is_over:
        return []
    if failure := _failure(definition, state):
        return [failure]
    if all(state.of(step_id).is_done for step_id in definition.order):
        return [CompleteRun()]
    rewinds = _rewinds(definition, state)
    dropped = _dropped(definition, rewinds)
    actions: list[Action] = []
    taken: set[str] = set()
    # Rewinds that have no step in common. The others follow later, if their cause is still there.
    for rewind in rewinds:
        steps = set(definition.dependents(rewind.to))
        if not taken & steps:
            actions.append(rewind)
            taken |= steps
    for step_id in definition.order:
        current = state.of(step_id)
        if step_id in dropped:
            continue
        if current.status == "":
            needs = definition.step(step_id).needs
            if all(state.of(need).is_done for need in needs):
                actions.append(StartStep(step_id))
        elif current.status == TaskStatus.WAITING_FOR_HITL:
            if not current.open_request:
                actions.append(OpenRequest(step_id, current.request_kind))
            elif current.subject_changed:
                actions.append(SupersedeRequest(step_id, current.request_kind))
    return actions


def waiting_for(definition: Definition, state: RunState) -> list[Waiting]:
    """By step, what the run waits for. Never empty while a run that is not over has no actions."""
    if state.is_over or _failure(definition, state):
        return []
    dropped = _dropped(definition, _rewinds(definition, state))
    remaining = [step_id for step_id in definition.order if step_id not in dropped]
    return [wait for step_id in remaining if (wait := _wait(state, step_id))]


def escalates_on_fail(definition: Definition, step_id: str, loops: Mapping[str, int]) -> bool:
    """Whether the verdict "fail" goes to a person, because no automatic round is left."""
    on_fail = definition.step(step_id).on_fail
    return on_fail is None or loops.get(step_id, 0) >= on_fail.max_rounds


def loops_after(
    definition: Definition, loops: Mapping[str, int], *, to: str, because_of: str, cause: Cause
) -> dict[str, int]:
    """The counts after a rewind.

    A loop adds one. A person's rewind resets the count of every step that runs again.
    """
    if cause == "loop":
        return {**loops, because_of: loops.get(because_of, 0) + 1}
    dropped = definition.dependents(to)
    return {step_id: count for step_id, count in loops.items() if step_id not in dropped}


def _failure(definition: Definition, state: RunState) -> FailRun | None:
    for step_id in definition.order:
        if state.of(step_id).status == TaskStatus.FAILED:
            return FailRun(step_id, state.of(step_id).reason)
    return None


def _rewinds(definition: Definition, state: RunState) -> list[Rewind]:
    """Every rewind that is due. People's first; then loops, the widest first."""
    by_people: list[Rewind] = []
    loops: list[Rewind] = []
    for step_id in definition.order:
        current, on_fail = state.of(step_id), definition.step(step_id).on_fail
        has_failed = current.verdict == "fail"
        if current.status == TaskStatus.CANCELLED and current.changes_requested:
            # A person who sends a failed verdict back means the work that was judged.
            to = on_fail.rewind_to if on_fail and has_failed else step_id
            by_people.append(Rewind(to, step_id, "changes_requested"))
        has_rounds = on_fail and not escalates_on_fail(definition, step_id, state.loops)
        if current.status == TaskStatus.COMPLETED and has_failed and has_rounds:
            loops.append(Rewind(on_fail.rewind_to, step_id, "loop"))
    return [*by_people, *sorted(loops, key=lambda loop: -len(definition.dependents(loop.to)))]


def _dropped(definition: Definition, rewinds: list[Rewind]) -> set[str]:
    return {step_id for rewind in rewinds for step_id in definition.dependents(rewind.to)}


def _wait(state: RunState, step_id: str) -> Waiting | None:
    current = state.of(step_id)
    if current.status in (TaskStatus.PENDING, TaskStatus.WORKING):
        return Waiting(step_id, "agent_work", "agent", current.task)
    if current.status == TaskStatus.WAITING_FOR_HITL:
        return Waiting(step_id, current.request_kind, "person", current.task)
    if current.status == TaskStatus.CANCELLED:
        return Waiting(step_id, "retry_or_rewind", "person", current.task)
    if current.status == TaskStatus.COMPLETED and not current.is_done:
        return Waiting(step_id, "rewind", "person", current.task)
    return None
