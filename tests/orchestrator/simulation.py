"""A hand, agents and persons in memory, who do anything they may, in any order."""

import random
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st

from orchestrator.engine.definition import Definition, OnFail, Step
from orchestrator.engine.plan import (
    CompleteRun,
    FailRun,
    OpenRequest,
    Rewind,
    RunState,
    StartStep,
    StepState,
    SupersedeRequest,
    escalates_on_fail,
    loops_after,
    plan,
    waiting_for,
)

GATE_KINDS = {"": "", "plan": "plan_approval", "result": "result_approval"}
UNFINISHED = ("pending", "working", "waiting_for_hitl")


@st.composite
def definitions(draw, max_steps=6):
    """Any directed acyclic graph of steps, with gates and loops."""
    steps = []
    for n in range(draw(st.integers(1, max_steps))):
        needs = draw(st.sets(st.sampled_from(range(n)))) if n else set()
        before = set(needs).union(*(closure_of_needs(steps, one) for one in needs))
        loop = st.builds(
            OnFail,
            rewind_to=st.sampled_from([f"s{one}" for one in sorted(before)] or ["none"]),
            max_rounds=st.integers(1, 3),
        )
        steps.append(
            Step(
                id=f"s{n}",
                title="A step",
                phase="build",
                agent="coder",
                creates=("source_code",),
                needs=tuple(f"s{one}" for one in sorted(needs)),
                instructions="Do it.",
                gate=draw(st.sampled_from(["", "plan", "result"])),
                on_fail=draw(st.none() | loop) if before else None,
            )
        )
    written = draw(st.permutations(steps))
    return Definition(name="random", version=1, title="Random", steps=tuple(written))


def closure_of_needs(steps, n):
    direct = {int(need[1:]) for need in steps[n].needs}
    return direct.union(*(closure_of_needs(steps, one) for one in direct))


def depends_on(definition, step_id, other):
    """Found the slow way, to check the definition's own answer."""
    needs = definition.step(step_id).needs
    return other in needs or any(depends_on(definition, need, other) for need in needs)


@dataclass
class World:
    """One run. Persons may intervene so often, then only say yes; agents may stumble so often."""

    definition: Definition
    random: random.Random
    interventions: int = 0
    mishaps: int = 0
    current: dict[str, StepState] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    loops: dict[str, int] = field(default_factory=dict)
    rewinds_since_person: dict[str, int] = field(default_factory=dict)
    outcome: str = ""
    actions: int = 0

    @property
    def state(self):
        return RunState(dict(self.current), dict(self.loops), is_over=bool(self.outcome))

    def settle(self):
        """Plan and act until there is nothing to do, sometimes dying between two actions."""
        seen = set()
        while actions := plan(self.definition, self.state):
            assert actions == plan(self.definition, self.state)
            for action in actions[: self.random.randint(1, len(actions))]:
                assert action not in seen, f"{action} again"
                seen.add(action)
                self.apply(action)

    def apply(self, action):
        assert not self.outcome
        self.actions += 1
        match action:
            case StartStep(step):
                self._start(step)
            case OpenRequest(step, kind):
                assert not self.current[step].open_request
                self._open(step, kind)
            case SupersedeRequest(step, kind):
                assert self.current[step].open_request
                self._open(step, kind)
            case Rewind(to, because_of, cause):
                self.rewind(to, because_of, cause)
            case CompleteRun():
                assert len(self.current) == len(self.definition.steps)
                assert all(s.status == "completed" for s in self.current.values())
                assert all(s.verdict != "fail" for s in self.current.values())
                self.outcome = "completed"
            case FailRun(step):
                assert self.current[step].status == "failed"
                self.outcome = "failed"

    def rewind(self, to, because_of, cause):
        if cause != "person":
            assert because_of in self.current
        self._count(to, because_of, cause)
        self.loops = loops_after(
            self.definition, self.loops, to=to, because_of=because_of, cause=cause
        )
        for step_id in self._after(to):
            self.current.pop(step_id, None)

    def move(self):
        """Somebody for whom the run waits does something."""
        waits = waiting_for(self.definition, self.state)
        assert waits, "stalled, and nobody knows on what"
        if self.interventions and self.random.random() < 0.05:
            return self._person_rewinds(self.random.choice(sorted(self.definition.order)))
        wait = self.random.choice(waits)
        assert wait.step in self.current
        if wait.what == "agent_work":
            return self._agent(wait.step)
        if wait.what in ("retry_or_rewind", "rewind"):
            return self._retries(wait.step)
        return self._decides(wait.step)

    def _start(self, step):
        assert step not in self.current, "two attempts at once"
        for need in self.definition.step(step).needs:
            assert self.current[need].status == "completed", "before its needs"
            assert self.current[need].verdict != "fail", "on failed work"
        self.rounds[step] = self.rounds.get(step, 0) + 1
        self.current[step] = StepState("pending", round=self.rounds[step])

    def _open(self, step, kind):
        assert self.current[step].status == "waiting_for_hitl"
        assert self.current[step].request_kind == kind
        self._set(step, open_request=True, subject_changed=False)

    def _count(self, to, because_of, cause):
        if cause != "loop":
            for step_id in self._after(to):
                self.rewinds_since_person.pop(step_id, None)
            return
        count = self.rewinds_since_person.get(because_of, 0) + 1
        self.rewinds_since_person[because_of] = count
        assert count <= self.definition.step(because_of).on_fail.max_rounds

    def _agent(self, step):
        if self.current[step].status == "pending":
            return self._set(step, status="working")
        if self._spends("interventions"):
            return self._set(step, status="cancelled")
        if self._spends("mishaps"):
            return self.random.choice([self._crashes, self._asks, self._escalates])(step)
        return self._finishes(step, self.random.choice(["", "pass", "fail"]))

    def _finishes(self, step, verdict):
        if verdict == "fail" and escalates_on_fail(self.definition, step, self.loops):
            return self._waits(step, "escalation", verdict)
        kind = GATE_KINDS[self.definition.step(step).gate]
        if kind and verdict != "fail":
            return self._waits(step, kind, verdict)
        return self._set(step, status="completed", verdict=verdict)

    def _crashes(self, step):
        self._set(step, status="pending")

    def _asks(self, step):
        self._waits(step, "clarification", "")

    def _escalates(self, step):
        self._waits(step, "escalation", "")

    def _waits(self, step, kind, verdict):
        self._set(step, status="waiting_for_hitl", request_kind=kind, verdict=verdict)

    def _decides(self, step):
        assert self.current[step].open_request, "waits for a person whom nobody asked"
        if self._spends("interventions"):
            return self._says_no(step)
        if self.current[step].request_kind == "clarification":
            return self._settled(step, status="pending")
        return self._settled(step, status="completed", verdict="")

    def _says_no(self, step):
        action = self.random.choice(["reject", "cancel", "edit"] + ["request_changes"] * 5)
        if action == "edit":
            return self._set(step, subject_changed=True)
        if action == "reject":
            return self._settled(step, status="failed", reason="no")
        return self._settled(
            step, status="cancelled", changes_requested=action == "request_changes"
        )

    def _settled(self, step, **changes):
        self._set(step, open_request=False, subject_changed=False, request_kind="", **changes)

    def _retries(self, step):
        if self.current[step].status == "cancelled":
            return self._set(step, status="pending", verdict="")
        return self._person_rewinds(step)

    def _person_rewinds(self, step):
        self.interventions = max(0, self.interventions - 1)
        self.rewind(step, step, "person")

    def _spends(self, budget):
        left = getattr(self, budget)
        if not left or self.random.random() < 0.5:
            return False
        setattr(self, budget, left - 1)
        return True

    def _set(self, step, **changes):
        self.current[step] = replace(self.current[step], **changes)

    def _after(self, step_id):
        after = [o for o in self.definition.order if depends_on(self.definition, o, step_id)]
        return [step_id, *after]
