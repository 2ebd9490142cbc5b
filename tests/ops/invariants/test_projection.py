"""The statuses that follow from a log, for any log that could be."""

import random

from hypothesis import given
from hypothesis import strategies as st

from agents.enums import TaskStatus
from agents.models import Task
from hitl.enums import RequestStatus
from ops.invariants.projection import Fact, fold
from projects.enums import ProjectStatus
from projects.models import Project

SAYS = {
    TaskStatus.PENDING: ("task_retried", {}),
    TaskStatus.WORKING: ("task_started", {}),
    TaskStatus.COMPLETED: ("task_completed", {}),
    TaskStatus.FAILED: ("task_failed", {}),
    TaskStatus.CANCELLED: ("task_cancelled", {}),
    TaskStatus.WAITING_FOR_HITL: ("task_progress", {"waits_for": "result_approval"}),
}
VERBS = {
    "start": ("project_started", ProjectStatus.ACTIVE),
    "pause": ("project_paused", ProjectStatus.PAUSED),
    "resume": ("project_resumed", ProjectStatus.ACTIVE),
    "complete": ("project_completed", ProjectStatus.COMPLETED),
    "fail": ("project_failed", ProjectStatus.FAILED),
    "cancel": ("project_cancelled", ProjectStatus.CANCELLED),
}
FINAL_REQUESTS = sorted(set(RequestStatus) - {RequestStatus.PENDING})


def fact(kind: str, task=None, request=None, source="agent", **data) -> Fact:
    return Fact(0, kind, source, task, request, data)


@st.composite
def lives_of_a_task(draw, name: str):
    """Facts along the table of transitions, and where they end."""
    status, facts = TaskStatus.PENDING, [fact("task_created", name)]
    for _ in range(draw(st.integers(0, 8))):
        after = sorted(Task.TRANSITIONS[status])
        if not after:
            break
        status = draw(st.sampled_from(after))
        kind, data = SAYS[status]
        facts.append(fact(kind, name, **data))
    return name, status, facts


@st.composite
def lives_of_a_request(draw, name: str):
    facts, status = [fact("hitl_request_created", None, name)], RequestStatus.PENDING
    if draw(st.booleans()):
        status = draw(st.sampled_from(FINAL_REQUESTS))
        facts.append(fact("hitl_request_resolved", None, name, status=str(status)))
    return name, status, facts


@st.composite
def lives_of_a_project(draw):
    status, facts = ProjectStatus.DRAFT, [fact("project_created")]
    for _ in range(draw(st.integers(0, 8))):
        # What was erased is a tombstone; its log is not folded any more.
        verbs = sorted(Project.TRANSITIONS[status] - {"erase"})
        if not verbs:
            break
        verb = draw(st.sampled_from(verbs))
        if verb == "rewind":
            facts.append(fact("project_rewound"))
            is_paused = status == ProjectStatus.PAUSED
            status = ProjectStatus.PAUSED if is_paused else ProjectStatus.ACTIVE
            continue
        kind, new = VERBS[verb]
        facts.append(fact(kind, old=str(status), new=str(new)))
        status = new
    return status, facts


def interleaved(seed: int, *logs: list[Fact]) -> list[Fact]:
    """All facts, each log's in its order."""
    chance, left = random.Random(seed), [list(log) for log in logs if log]
    merged = []
    while left:
        log = chance.choice(left)
        merged.append(log.pop(0))
        left = [one for one in left if one]
    return merged


@given(st.data(), st.integers(0, 2**32))
def test_whatever_happened_in_whatever_order_the_fold_ends_where_the_facts_do(data, seed):
    tasks = [data.draw(lives_of_a_task(f"t{n}")) for n in range(data.draw(st.integers(0, 4)))]
    requests = [data.draw(lives_of_a_request(f"r{n}")) for n in range(data.draw(st.integers(0, 4)))]
    project, of_project = data.draw(lives_of_a_project())

    logs = [log for *_, log in [*tasks, *requests]]
    folded = fold(interleaved(seed, of_project, *logs))

    assert folded.oddities == []
    assert folded.project == project
    assert folded.tasks == {name: status for name, status, _ in tasks}
    assert folded.requests == {name: status for name, status, _ in requests}


@given(lives_of_a_task("t"), st.sampled_from(sorted(TaskStatus)))
def test_a_step_that_the_table_forbids_is_odd(life, wanted):
    name, status, facts = life
    kind, data = SAYS[wanted]

    folded = fold([*facts, fact(kind, name, **data)])

    assert bool(folded.oddities) == (wanted not in Task.TRANSITIONS[status])


def test_what_an_agent_writes_after_its_claim_is_odd():
    at_work = [fact("task_created", "t"), fact("task_started", "t")]
    written = fact("artifact_created", "t")

    assert fold([*at_work, written]).oddities == []
    assert len(fold([*at_work, fact("task_retried", "t"), written]).oddities) == 1


def test_a_request_that_is_closed_twice_is_odd():
    closed = fact("hitl_request_resolved", None, "r", status="approved")

    assert len(fold([fact("hitl_request_created", None, "r"), closed, closed]).oddities) == 1
