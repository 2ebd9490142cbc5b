"""What comes next in a run: a pure function of the definition and of what is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from agents.enums import RequestKind, TaskStatus
from orchestrator.engine.definition import Definition

Cause = Literal["loop", "changes_requested", "person", "stopped"]


@dataclass(frozen=True)
class StepState:
    """A step as its current task shows it. Without a current task: the default."""

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
        if is_waiting and self.request_kind not in RequestKind.values:
            raise ValueError(f"a waiting task with an unknown request kind {self.request_kind!r}")

    @property
    def is_done(self) -> bool:
        """What depends on the step may go on."""
        return self.status == TaskStatus.COMPLETED and self.verdict != "fail"


@dataclass(frozen=True)
class RunState:
    """All of a run. `loops`: automatic rewinds so far, by the step that failed."""

    steps: Mapping[str, StepState] = field(default_factory=dict)
    loops: Mapping[str, int] = field(default_factory=dict)
    is_over: bool = False

    def of(self, step_id: str) -> StepState:
        return self.steps.get(step_id, StepState())


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
    """What was shown would no longer go on: close the request as superseded, and ask anew."""

    step: str
    kind: str


@dataclass(frozen=True)
class Rewind:
    """Drop the current tasks of `to` and of all that depends on it. `because_of` has the reason."""

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
    (failed its check, with no round left and nobody asked).
    """

    step: str
    what: str
    who: Literal["agent", "person"]
    task: str | None = None


def plan(definition: Definition, state: RunState) -> list[Action]:
    """All that can be done now. Empty when the run is over or waits; see `waiting_for`."""
    if state.is_over:
        return []
    if failure := _failure(definition, state):
        return [failure]
    if all(state.of(step_id).is_done for step_id in definition.order):
        return [CompleteRun()]
    rewinds = _rewinds(definition, state)
    dropped = _dropped(definition, rewinds)
    steps = (_for_step(definition, state, one) for one in definition.order if one not in dropped)
    return [*_apart(definition, rewinds), *(action for action in steps if action)]


def waiting_for(definition: Definition, state: RunState) -> list[Waiting]:
    """By step, what cannot go on before an agent or a person has acted.

    Never empty while a run that is not over has nothing to plan.
    """
    if state.is_over or _failure(definition, state):
        return []
    dropped = _dropped(definition, _rewinds(definition, state))
    waits = (_wait(state, one) for one in definition.order if one not in dropped)
    return [wait for wait in waits if wait]


def escalates_on_fail(definition: Definition, step_id: str, loops: Mapping[str, int]) -> bool:
    """Whether a verdict 'fail' goes to a person, since no automatic round is left."""
    on_fail = definition.step(step_id).on_fail
    return on_fail is None or loops.get(step_id, 0) >= on_fail.max_rounds


def loops_after(
    definition: Definition, loops: Mapping[str, int], *, to: str, because_of: str, cause: Cause
) -> dict[str, int]:
    """The counts once a rewind is applied.

    A loop adds one. A person's word gives all that runs again its rounds anew.
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
    """All that are due. People's first; then loops, the widest first."""
    asked = [r for one in definition.order if (r := _asked_rewind(definition, state, one))]
    loops = [r for one in definition.order if (r := _loop(definition, state, one))]
    return [*asked, *sorted(loops, key=lambda r: -len(definition.dependents(r.to)))]


def _apart(definition: Definition, rewinds: list[Rewind]) -> list[Rewind]:
    """Those that drop no task in common. The others are due later, if their reason is left."""
    chosen: list[Rewind] = []
    for rewind in rewinds:
        if not _dropped(definition, chosen) & set(definition.dependents(rewind.to)):
            chosen.append(rewind)
    return chosen


def _asked_rewind(definition: Definition, state: RunState, step_id: str) -> Rewind | None:
    """A person who sends a failed verdict back means the work that was judged, not the judging."""
    current, on_fail = state.of(step_id), definition.step(step_id).on_fail
    if current.status != TaskStatus.CANCELLED or not current.changes_requested:
        return None
    to = on_fail.rewind_to if on_fail and current.verdict == "fail" else step_id
    return Rewind(to, step_id, "changes_requested")


def _loop(definition: Definition, state: RunState, step_id: str) -> Rewind | None:
    current, on_fail = state.of(step_id), definition.step(step_id).on_fail
    if current.status != TaskStatus.COMPLETED or current.verdict != "fail" or on_fail is None:
        return None
    if escalates_on_fail(definition, step_id, state.loops):
        return None
    return Rewind(on_fail.rewind_to, step_id, "loop")


def _dropped(definition: Definition, rewinds: list[Rewind]) -> set[str]:
    return {step_id for rewind in rewinds for step_id in definition.dependents(rewind.to)}


def _for_step(definition: Definition, state: RunState, step_id: str) -> Action | None:
    current = state.of(step_id)
    if current.status == "":
        needs = definition.step(step_id).needs
        return StartStep(step_id) if all(state.of(need).is_done for need in needs) else None
    if current.status != TaskStatus.WAITING_FOR_HITL:
        return None
    if not current.open_request:
        return OpenRequest(step_id, current.request_kind)
    return SupersedeRequest(step_id, current.request_kind) if current.subject_changed else None


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
