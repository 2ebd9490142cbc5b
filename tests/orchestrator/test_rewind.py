import pytest

from agents.models import Task
from agents.services import claim_task, finish_task
from audit.actors import Actor
from audit.models import Event
from hitl.models import HitlRequest
from orchestrator.engine.rewind import rewind_project
from orchestrator.models import WorkflowRun
from projects.models import Project
from projects.services import fail_project, pause_project
from projects.transaction import ProjectTransaction
from tests.scenes import advance, current, decide_as, do, open_steps, request_at, started, text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("whole_logs")]


@pytest.fixture
def unattended(make_project):
    return make_project(oversight_level="low")


def rewind(project, owner, step: str, **said) -> Project:
    rewind_project(project_id=project.pk, step=step, actor=Actor.of_user(owner), **said)
    return advance(project)


def run_through(project) -> None:
    started(project)
    for step in ("left", "right", "join", "check"):
        do(project, step)


def rounds(project) -> dict[str, int]:
    tasks = Task.objects.filter(project=project, is_current=True).exclude(step="")
    return dict(tasks.values_list("step", "round"))


def test_a_completed_project_goes_on_from_the_step(unattended, owner):
    run_through(unattended)

    now = rewind(unattended, owner, "join", comment="Once more.")

    assert (now.status, now.finished_at) == ("active", None)
    assert rounds(unattended) == {"left": 1, "right": 1, "join": 2}
    assert current(unattended, "join").handoff["feedback"][0]["comment"] == "Once more."
    do(unattended, "join")
    do(unattended, "check")
    assert Project.objects.get().status == "completed"


def test_only_what_depends_on_the_step_runs_again(unattended, owner):
    run_through(unattended)

    rewind(unattended, owner, "left")

    assert open_steps(unattended) == {"left"}
    assert rounds(unattended) == {"left": 2, "right": 1}
    event = Event.objects.get(event_type="project_rewound")
    assert event.data["dropped"] == ["left", "join", "check"]


def test_what_is_dropped_stays_in_history(unattended, owner):
    run_through(unattended)

    rewind(unattended, owner, "join")

    dropped = Task.objects.filter(project=unattended, is_current=False)
    assert {(t.step, t.round, t.dropped_by) for t in dropped} == {
        ("join", 1, "person"),
        ("check", 1, "person"),
    }
    assert dropped.get(step="join").result["outputs"][0]["version"] == 1


def test_a_worker_on_a_dropped_task_writes_nothing(unattended, owner):
    started(unattended)
    claim = claim_task(task_id=current(unattended, "left").pk, worker="t:1:1")

    rewind(unattended, owner, "left")

    assert finish_task(claim=claim, outcome=text("Late.")) is False
    assert (current(unattended, "left").round, open_steps(unattended)) == (2, {"left", "right"})


def test_a_rewind_closes_the_requests_of_what_it_drops(project, owner):
    started(project)
    do(project, "left")
    do(project, "right")
    kept, dropped = request_at(project, "left"), request_at(project, "right")

    rewind(project, owner, "right")

    dropped.refresh_from_db()
    assert dropped.status == "cancelled"
    assert HitlRequest.objects.pending().get() == kept


def test_a_failed_project_goes_on_where_it_was_rejected(project, owner, approver):
    started(project)
    do(project, "right")
    decide_as(approver, request_at(project, "right"), "reject", comment="No.")

    now = rewind(project, owner, "right")

    assert (now.status, now.status_reason) == ("active", "")
    assert current(project, "right").round == 2


def test_a_branch_that_the_stop_cancelled_runs_again_too(project, owner, approver):
    started(project)
    do(project, "right")
    decide_as(approver, request_at(project, "right"), "reject", comment="No.")
    assert current(project, "left").status == "cancelled"

    rewind(project, owner, "right")

    assert open_steps(project) == {"left", "right"}


def test_a_rejected_branch_runs_again_whatever_step_is_named(project, owner, approver):
    started(project)
    do(project, "left")
    decide_as(approver, request_at(project, "left"), "approve")
    do(project, "right")
    decide_as(approver, request_at(project, "right"), "reject", comment="No.")

    now = rewind(project, owner, "left")

    assert now.status == "active"
    assert open_steps(project) == {"left", "right"}


def test_a_project_that_a_person_failed_goes_on(unattended, owner):
    started(unattended)
    do(unattended, "left")
    with ProjectTransaction(unattended.pk, Actor.of_user(owner)) as tx:
        fail_project(tx, "Wait.")

    rewind(unattended, owner, "right")

    assert open_steps(unattended) == {"right"}
    do(unattended, "right")
    assert open_steps(unattended) == {"join"}


def test_a_paused_project_stays_paused(unattended, owner):
    started(unattended)
    do(unattended, "left")
    pause_project(project_id=unattended.pk, actor=Actor.of_user(owner))

    now = rewind(unattended, owner, "left")

    assert now.status == "paused"
    assert not Task.objects.filter(step="left", is_current=True).exists()


def test_a_rewind_by_hand_gives_a_check_its_rounds_anew(unattended, owner):
    started(unattended)
    do(unattended, "left")
    do(unattended, "right")
    do(unattended, "join")
    do(unattended, "check", text("No.", verdict="fail"))
    assert WorkflowRun.objects.get().loops == {"check": 1}

    rewind(unattended, owner, "left")

    assert WorkflowRun.objects.get().loops == {}
