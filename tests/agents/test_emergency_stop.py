from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from agents.models import EmergencyStop, Task, TaskAttempt, WorkerProcess
from agents.providers.demo import DemoModel
from agents.services import (
    activate_emergency_stop,
    claim_task,
    enqueue_due_tasks,
    finish_task,
    hand_back_claims,
    record_stop_notices,
)
from agents.stops.queries import active_stops
from agents.stops.services import acknowledge_stops
from agents.worker import run as worker_run
from agents.worker.registry import report_process
from agents.worker.run import run
from audit.actors import Actor
from core.errors import Forbidden, InvalidInput, NotFound
from tests.scenes import (
    WORKER,
    claim,
    event_data,
    first_task,
    fresh,
    release,
    side_task,
    stop,
    told,
    work,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project", "whole_logs")]


def refused(task: Task) -> bool:
    return claim_task(task_id=task.pk, worker=WORKER) is None


def test_no_task_can_be_claimed_while_everything_is_stopped(project, staff):
    task = first_task(project)

    stop(staff)

    assert refused(task)
    assert (fresh(task).status, fresh(task).attempt) == ("pending", 0)
    assert not TaskAttempt.objects.exists()


def test_a_released_task_can_be_claimed_again(project, staff):
    task = first_task(project)
    stop(staff)

    release(staff)

    assert claim(task).task.attempt == 1


def test_a_stop_of_a_project_leaves_other_projects_alone(make_project, owner):
    one, other = make_project(), make_project()
    stopped, free = first_task(one), first_task(other)

    stop(owner, project_id=one.pk)

    assert refused(stopped)
    assert claim(free)


def test_a_stop_of_an_agent_type_leaves_other_agents_alone(project, staff):
    planning, analysing = first_task(project), side_task(project)

    stop(staff, agent_type="orchestrator")

    assert refused(planning)
    assert claim(analysing)


def test_an_agent_type_can_be_stopped_within_a_project(make_project, owner):
    one, other = make_project(), make_project()
    stopped, same_agent, free = first_task(one), first_task(other), side_task(one)

    stop(owner, project_id=one.pk, agent_type="orchestrator")

    assert refused(stopped)
    assert claim(same_agent)
    assert claim(free)


def test_stops_of_several_scopes_are_released_one_by_one(project, owner, staff):
    task = first_task(project)
    stop(staff)
    stop(owner, project_id=project.pk)

    release(staff)
    assert refused(task)

    release(owner, project_id=project.pk)
    assert claim(task)


def test_a_second_stop_of_a_scope_is_the_first_one(project, owner, staff):
    first = stop(owner, project_id=project.pk)

    second = stop(staff, project_id=project.pk, reason="Another reason.")

    assert second == first
    assert second.reason == "It deletes files."
    assert second.activated_by == owner
    assert [kind for kind, _ in told(project)] == ["activated"]


def test_a_second_release_is_the_first_one(project, owner, staff):
    stop(owner, project_id=project.pk)
    first = release(owner, project_id=project.pk)

    second = release(staff, project_id=project.pk, reason="Another reason.")

    assert (second, second.released_by) == (first, owner)
    assert second.release_reason == "It was a drill."
    assert [kind for kind, _ in told(project)] == ["activated", "released"]


def test_a_scope_can_be_stopped_again_after_a_release(project, owner):
    first = stop(owner, project_id=project.pk)
    release(owner, project_id=project.pk)

    second = stop(owner, project_id=project.pk)

    assert second != first
    assert [kind for kind, _ in told(project)] == ["activated", "released", "activated"]


def test_what_was_never_stopped_cannot_be_released(project, owner):
    with pytest.raises(NotFound):
        release(owner, project_id=project.pk)


def test_the_database_refuses_two_active_stops_of_one_scope(staff):
    stop(staff)

    with pytest.raises(IntegrityError), transaction.atomic():
        EmergencyStop.objects.create(reason="Again.", activated_by=staff)


@pytest.mark.parametrize("role", ["approver", "viewer"])
def test_who_does_not_own_the_project_stops_nothing(project, request, role):
    person = request.getfixturevalue(role)

    with pytest.raises(Forbidden):
        stop(person, project_id=project.pk)
    with pytest.raises(Forbidden):
        release(person, project_id=project.pk)
    assert not EmergencyStop.objects.exists()


def test_an_outsider_does_not_learn_that_the_project_exists(project, outsider):
    with pytest.raises(NotFound):
        stop(outsider, project_id=project.pk)


def test_an_owner_cannot_stop_all_projects(project, owner):
    with pytest.raises(Forbidden) as refusal:
        stop(owner)
    with pytest.raises(Forbidden):
        stop(owner, agent_type="coder")
    assert refusal.value.code == "permission_required"


@pytest.mark.parametrize("reason", ["", " \n", "x" * 2001, "a\0b"])
def test_a_reason_that_says_nothing_is_refused(staff, reason):
    with pytest.raises(InvalidInput) as refusal:
        stop(staff, reason=reason)
    assert refusal.value.errors[0]["field"] == "reason"


def test_the_log_of_an_active_project_tells_who_stopped_and_released_it_and_why(project, staff):
    first_task(project)
    standing = stop(staff)
    release(staff)

    said = {"stop": str(standing.pk), "scope": "all", "agent_type": "", "level": "installation"}
    said["actor_name"] = "staff"
    assert told(project) == [
        ("activated", said | {"reason": "It deletes files."}),
        ("released", said | {"reason": "It was a drill."}),
    ]


def test_the_log_of_a_project_with_nothing_to_stop_tells_nothing(project, staff):
    stop(staff)

    assert told(project) == []


def test_a_stop_of_one_project_is_told_whatever_its_state(project, owner):
    stop(owner, project_id=project.pk)

    assert [kind for kind, _ in told(project)] == ["activated"]


def test_many_projects_are_told_piece_by_piece(make_project, staff):
    projects = [make_project() for _ in range(3)]
    for project in projects:
        first_task(project)
    activate_emergency_stop(actor=Actor.of_user(staff), reason="It deletes files.")

    assert [record_stop_notices(2) for _ in range(3)] == [2, 1, 0]

    assert [told(project)[0][0] for project in projects] == ["activated"] * 3


def test_a_result_that_came_before_the_interrupt_counts(project, staff):
    taken = claim(first_task(project))

    stop(staff)

    assert finish_task(claim=taken, outcome=work())
    assert fresh(taken.task).status == "waiting_for_hitl"


def test_a_task_that_is_handed_back_has_lost_no_attempt(project, staff):
    taken = claim(first_task(project))
    stop(staff)

    hand_back_claims([taken], cause="emergency_stop")

    task = fresh(taken.task)
    assert (task.status, task.attempt, task.fence) == ("pending", 0, taken.fence + 1)
    assert (task.crashes, task.failures) == (0, 0)
    assert TaskAttempt.objects.get().outcome == "handed_back"
    assert event_data(task, "task_retried")[-1]["cause"] == "emergency_stop"
    assert hand_back_claims([taken], cause="emergency_stop") == 0


class CountedModel(DemoModel):
    """The edge to a provider, and how often it was asked."""

    calls = 0

    def produce(self, assignment, **wanted):
        CountedModel.calls += 1
        return super().produce(assignment, **wanted)


@pytest.fixture
def model(settings):
    settings.MODEL_PROVIDERS = {"counted": "tests.agents.test_emergency_stop.CountedModel"}
    settings.AGENT_MODELS = {"orchestrator": "counted"}
    CountedModel.calls = 0
    return CountedModel


def test_a_stop_between_claim_and_call_keeps_the_model_from_being_called(
    project, staff, model, monkeypatch
):
    task = first_task(project)
    real = worker_run.model_for

    def model_for(*arguments, **options):
        stop(staff)
        return real(*arguments, **options)

    monkeypatch.setattr(worker_run, "model_for", model_for)

    assert run(task_id=task.pk, worker=WORKER) is False

    assert model.calls == 0
    assert (fresh(task).status, fresh(task).attempt) == ("pending", 0)
    assert TaskAttempt.objects.get().outcome == "handed_back"


def test_after_the_release_the_same_task_is_done(project, staff, model):
    task = first_task(project)
    stop(staff)
    assert run(task_id=task.pk, worker=WORKER) is False

    release(staff)

    assert run(task_id=task.pk, worker=WORKER) is True
    assert (model.calls, fresh(task).attempt) == (1, 1)


def test_nobody_rings_for_what_is_stopped(project, staff):
    task = first_task(project)
    Task.objects.update(enqueued_at=None)
    stop(staff)
    assert enqueue_due_tasks() == 0

    release(staff)

    assert fresh(task).enqueued_at is not None


def test_every_worker_that_is_there_is_expected_to_acknowledge(project, staff):
    report_process("host:1:2")
    report_process("host:1:3")
    WorkerProcess.objects.create(name="host:0:1", seen_at="2020-01-01T00:00:00Z")

    standing = stop(staff)

    assert (standing.workers_expected, standing.workers_acknowledged) == (2, 0)
    assert standing.missing_workers == ["host:1:2", "host:1:3"]
    assert standing.seconds_to_last_acknowledgement is None


def test_the_time_to_the_last_acknowledgement_is_known_once_all_have_stopped(staff):
    report_process("host:1:2")
    report_process("host:1:3")
    standing = stop(staff)
    acknowledge_stops("host:1:2", [standing.pk])
    assert EmergencyStop.objects.get().seconds_to_last_acknowledgement is None

    acknowledge_stops("host:1:3", [standing.pk])

    first = EmergencyStop.objects.get().seconds_to_last_acknowledgement
    acknowledge_stops("host:1:2", [standing.pk])
    assert 0 < first == EmergencyStop.objects.get().seconds_to_last_acknowledgement
    assert not active_stops("host:1:2")[0].is_acknowledgement_due


def test_a_worker_that_died_is_not_waited_for_but_told_of(staff):
    report_process("host:1:2")
    report_process("host:1:3")
    standing = stop(staff)
    acknowledge_stops("host:1:2", [standing.pk])
    WorkerProcess.objects.filter(name="host:1:3").update(
        seen_at=standing.activated_at - timedelta(seconds=16)
    )

    activated = EmergencyStop.objects.get()
    assert (activated.missing_workers, activated.gone_workers) == ([], ["host:1:3"])
    assert activated.workers_text.startswith(
        "1 of 2 workers have stopped, 1 is gone, the last after"
    )
    first = activated.seconds_to_last_acknowledgement

    # It was not dead.
    acknowledge_stops("host:1:3", [standing.pk])
    assert EmergencyStop.objects.get().workers_gone == 0
    assert EmergencyStop.objects.get().seconds_to_last_acknowledgement > first


def test_a_worker_learns_which_of_its_tasks_may_not_go_on(project, owner):
    planning, analysing = first_task(project), side_task(project)
    assert active_stops("host:1:2") == []

    stop(owner, project_id=project.pk, agent_type="orchestrator")

    (active,) = active_stops("host:1:2")
    assert (active.covers(planning), active.covers(analysing)) == (True, False)


def test_a_stop_covers_by_project_and_by_agent_type(make_project, owner, staff):
    one, other = make_project(), make_project()
    mine, foreign = side_task(one), side_task(other)
    stop(owner, project_id=one.pk)
    stop(staff, agent_type="orchestrator")

    by_scope = {active.agent_type: active for active in active_stops("host:1:2")}

    assert (by_scope[""].covers(mine), by_scope[""].covers(foreign)) == (True, False)
    assert not by_scope["orchestrator"].covers(mine)
