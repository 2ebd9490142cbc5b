import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.enums import TASK_REQUEST_KINDS, TaskStatus
from orchestrator.engine.definition import Definition, OnFail, Step, load_definition
from orchestrator.engine.definition_rules import broken_rules
from orchestrator.engine.plan import (
    CompleteRun,
    FailRun,
    OpenRequest,
    Rewind,
    RunState,
    StartStep,
    StepState,
    SupersedeRequest,
    Waiting,
    escalates_on_fail,
    loops_after,
    plan,
    waiting_for,
)
from tests.orchestrator.simulation import World, definitions, depends_on

BUDGETS = st.sampled_from([12, 4, 0])
DONE = StepState("completed")
FAILED_CHECK = StepState("completed", verdict="fail")


def make_step(step_id, *needs, on_fail=None):
    return Step(
        id=step_id,
        title="A step",
        phase="build",
        agent="coder",
        creates=("source_code",),
        needs=needs,
        instructions="Do it.",
        on_fail=on_fail,
    )


def make(*steps):
    return Definition(name="made", version=1, title="Made", steps=steps)


DIAMOND = make(
    make_step("start"),
    make_step("left", "start"),
    make_step("right", "start"),
    make_step("join", "left", "right"),
)
LOOP = make(
    make_step("build"),
    make_step("docs", "build"),
    make_step("check", "build", on_fail=OnFail(rewind_to="build", max_rounds=2)),
    make_step("ship", "docs", "check"),
    make_step("aside"),
)


def state(loops=None, **steps):
    return RunState(steps, loops or {})


def test_a_new_run_starts_with_what_needs_nothing():
    assert plan(LOOP, state()) == [StartStep("build"), StartStep("aside")]


def test_branches_start_side_by_side():
    assert plan(DIAMOND, state(start=DONE)) == [StartStep("left"), StartStep("right")]


def test_a_join_waits_for_every_branch():
    one_left = state(start=DONE, left=DONE, right=StepState("working", task="t1"))
    assert plan(DIAMOND, one_left) == []
    assert waiting_for(DIAMOND, one_left) == [Waiting("right", "agent_work", "agent", "t1")]
    assert plan(DIAMOND, state(start=DONE, left=DONE, right=DONE)) == [StartStep("join")]


@pytest.mark.parametrize("kind", TASK_REQUEST_KINDS)
def test_a_waiting_task_gets_its_request_once(kind):
    waits = StepState("waiting_for_hitl", request_kind=kind)
    asked = StepState("waiting_for_hitl", request_kind=kind, open_request=True)
    assert plan(DIAMOND, state(start=waits)) == [OpenRequest("start", kind)]
    assert plan(DIAMOND, state(start=asked)) == []
    assert waiting_for(DIAMOND, state(start=asked)) == [Waiting("start", kind, "person")]


def test_a_request_whose_subject_changed_is_superseded():
    changed = StepState(
        "waiting_for_hitl", request_kind="plan_approval", open_request=True, subject_changed=True
    )
    assert plan(DIAMOND, state(start=changed)) == [SupersedeRequest("start", "plan_approval")]


def test_a_failed_check_goes_back_and_starts_nothing_that_it_drops():
    failed = state(build=DONE, check=FAILED_CHECK)
    assert plan(LOOP, failed) == [Rewind("build", "check", "loop"), StartStep("aside")]


def test_a_failed_check_drops_no_other_branch():
    failed = state(build=DONE, check=FAILED_CHECK, docs=StepState("working"), aside=DONE)
    assert plan(LOOP, failed) == [Rewind("build", "check", "loop")]
    assert waiting_for(LOOP, failed) == []


def test_a_failed_check_without_rounds_waits_for_a_person_by_name():
    failed = state({"check": 2}, build=DONE, check=FAILED_CHECK, docs=DONE, aside=DONE)
    assert plan(LOOP, failed) == []
    assert waiting_for(LOOP, failed) == [Waiting("check", "rewind", "person")]


@pytest.mark.parametrize(
    ("step", "loops", "escalates"),
    [("check", 0, False), ("check", 1, False), ("check", 2, True), ("docs", 0, True)],
)
def test_a_failed_check_escalates_when_no_automatic_round_is_left(step, loops, escalates):
    assert escalates_on_fail(LOOP, step, {step: loops}) is escalates


def test_an_accepted_failure_counts_as_done():
    accepted = StepState("completed", verdict="accepted")
    done = state({"check": 2}, build=DONE, docs=DONE, check=accepted)
    assert plan(LOOP, done) == [StartStep("ship"), StartStep("aside")]


def test_requested_changes_run_the_step_again():
    back = StepState("cancelled", changes_requested=True)
    assert plan(DIAMOND, state(start=DONE, left=back, right=DONE)) == [
        Rewind("left", "left", "changes_requested")
    ]


def test_requested_changes_of_a_failed_check_mean_the_work_that_was_checked():
    back = StepState("cancelled", changes_requested=True, verdict="fail")
    assert plan(LOOP, state({"check": 2}, build=DONE, check=back, aside=DONE)) == [
        Rewind("build", "check", "changes_requested")
    ]


def test_a_cancelled_task_holds_only_its_branch_and_says_so():
    cancelled = state(start=DONE, left=StepState("cancelled", task="t9"))
    assert plan(DIAMOND, cancelled) == [StartStep("right")]
    assert waiting_for(DIAMOND, cancelled) == [Waiting("left", "retry_or_rewind", "person", "t9")]


def test_a_failed_task_fails_the_run_and_nothing_else_happens():
    failed = state(build=StepState("failed", reason="rejected: too slow"))
    assert plan(LOOP, failed) == [FailRun("build", "rejected: too slow")]
    assert waiting_for(LOOP, failed) == []


def test_a_run_completes_when_all_is_done():
    assert plan(DIAMOND, state(start=DONE, left=DONE, right=DONE, join=DONE)) == [CompleteRun()]


def test_a_run_that_is_over_plans_nothing_and_waits_for_nothing():
    over = RunState({}, {}, is_over=True)
    assert plan(DIAMOND, over) == []
    assert waiting_for(DIAMOND, over) == []


def test_of_two_failed_checks_one_rewind_is_enough():
    back = OnFail(rewind_to="a", max_rounds=3)
    two = make(
        make_step("a"),
        make_step("b", "a"),
        make_step("near", "b", on_fail=OnFail(rewind_to="b", max_rounds=3)),
        make_step("far", "b", on_fail=back),
    )
    failed = state(a=DONE, b=DONE, near=FAILED_CHECK, far=FAILED_CHECK)
    assert plan(two, failed) == [Rewind("a", "far", "loop")]


def test_a_person_is_heard_before_a_wider_loop_drops_the_same_step():
    both = state(build=DONE, docs=StepState("cancelled", changes_requested=True), aside=DONE)
    failed = RunState({**both.steps, "check": FAILED_CHECK}, {})
    heard = RunState({"build": DONE, "check": FAILED_CHECK, "aside": DONE}, {})
    assert plan(LOOP, failed) == [Rewind("docs", "docs", "changes_requested")]
    assert plan(LOOP, heard) == [Rewind("build", "check", "loop")]


def test_a_loop_counts_and_a_person_gives_new_rounds_to_what_runs_again():
    counted = loops_after(LOOP, {"check": 1}, to="build", because_of="check", cause="loop")
    assert counted == {"check": 2}
    anew = {"to": "build", "because_of": "check", "cause": "changes_requested"}
    assert loops_after(LOOP, {"check": 2, "aside": 1}, **anew) == {"aside": 1}
    elsewhere = {"to": "ship", "because_of": "ship", "cause": "person"}
    assert loops_after(LOOP, {"check": 2}, **elsewhere) == {"check": 2}


@pytest.mark.parametrize("fields", [{"status": "done"}, {"status": "waiting_for_hitl"}])
def test_an_unknown_status_or_request_kind_is_refused(fields):
    with pytest.raises(ValueError, match="unknown"):
        StepState(**fields)


@given(definitions())
def test_a_random_definition_keeps_the_rules_and_knows_its_dependents(definition):
    assert broken_rules(definition) == []
    for one in definition.order:
        later = [o for o in definition.order if o == one or depends_on(definition, o, one)]
        assert list(definition.dependents(one)) == later


@given(definitions(), st.integers(0, 2**32), BUDGETS, BUDGETS)
def test_any_run_ends_whatever_agents_and_persons_do(definition, seed, interventions, mishaps):
    world = World(definition, random.Random(seed), interventions, mishaps)
    automatic = sum(step.on_fail.max_rounds for step in definition.steps if step.on_fail)
    eras = 1 + interventions
    starts = eras * (1 + automatic) * len(definition.steps)
    moves = 4 * starts + 4 * (interventions + mishaps)
    world.settle()
    for _ in range(moves):
        if world.outcome:
            break
        world.move()
        world.settle()
    assert world.outcome in ("completed", "failed")
    assert world.outcome == "completed" or interventions
    assert world.actions <= 4 * moves


@given(st.integers(0, 2**32))
def test_the_built_in_workflow_ends_whatever_agents_and_persons_do(seed):
    world = World(load_definition("sdlc"), random.Random(seed), interventions=6, mishaps=6)
    world.settle()
    for _ in range(2_000):
        if world.outcome:
            break
        world.move()
        world.settle()
    assert world.outcome in ("completed", "failed")


ANY_STATE_OF_A_STEP = st.builds(
    StepState,
    status=st.sampled_from(["", *TaskStatus.values]),
    verdict=st.sampled_from(["", "pass", "fail", "accepted"]),
    changes_requested=st.booleans(),
    open_request=st.booleans(),
    subject_changed=st.booleans(),
    request_kind=st.sampled_from(TASK_REQUEST_KINDS),
)


@st.composite
def any_states(draw):
    """A definition and any state at all, reachable or not."""
    definition = draw(definitions())
    steps = {step_id: draw(ANY_STATE_OF_A_STEP) for step_id in definition.order}
    loops = {step_id: draw(st.integers(0, 4)) for step_id in definition.order}
    return definition, RunState(steps, loops)


@given(any_states())
def test_whatever_the_state_is_the_plan_is_sound(case):
    definition, run = case
    actions, waits = plan(definition, run), waiting_for(definition, run)

    there_is_an_action_or_a_named_wait(actions, waits)
    nothing_is_started_or_asked_that_a_rewind_drops(definition, actions, waits)
    no_two_rewinds_drop_the_same_step(definition, actions)
    the_end_of_a_run_is_the_only_action(actions)


def there_is_an_action_or_a_named_wait(actions, waits):
    assert actions or waits
    busy = {wait.step for wait in waits if wait.who == "agent"}
    assert not busy & {action.step for action in actions if hasattr(action, "step")}


def nothing_is_started_or_asked_that_a_rewind_drops(definition, actions, waits):
    dropped = {one for a in actions if isinstance(a, Rewind) for one in definition.dependents(a.to)}
    assert not dropped & {a.step for a in actions if hasattr(a, "step")}
    assert not dropped & {wait.step for wait in waits}


def no_two_rewinds_drop_the_same_step(definition, actions):
    rewinds = [action for action in actions if isinstance(action, Rewind)]
    dropped = [one for rewind in rewinds for one in definition.dependents(rewind.to)]
    assert len(dropped) == len(set(dropped))


def the_end_of_a_run_is_the_only_action(actions):
    ends = [a for a in actions if isinstance(a, CompleteRun | FailRun)]
    assert not ends or len(actions) == 1
