"""A fair share of each project and the limit of a model, as claims count them."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from agents.models import Task
from agents.services import capacity, claim_task, hand_back, update_project_share
from agents.services.capacity import ProjectShare, enqueue_refused, share_of
from agents.worker.registry import report_process
from projects.agent_types import agent_types
from tests.scenes import WORKER, claim, first_task, fresh, release, side_task, stop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("whole_logs")]


@pytest.fixture(autouse=True)
def _no_share_yet(monkeypatch):
    monkeypatch.setattr(capacity, "_share", ProjectShare())
    monkeypatch.setattr(capacity, "_refused", set())


@pytest.fixture
def queue(monkeypatch):
    """The ids that are enqueued."""
    sent = []
    monkeypatch.setattr(capacity, "enqueue", lambda job, id: sent.append(id))
    return sent


def refused(task):
    return claim_task(task_id=task.pk, worker=WORKER) is None


def workers_for(count):
    report_process("host:1:1", count)
    update_project_share()


def test_without_workers_that_report_there_is_no_bound():
    assert share_of(0, [5, 5]) == ProjectShare()


def test_of_a_small_capacity_nothing_is_kept():
    assert share_of(7, [100]) == ProjectShare()


def test_one_project_has_all_but_the_reserve():
    assert share_of(64, [100]) == ProjectShare(common=56, most=56, few=2)


def test_two_large_projects_have_half_each():
    assert share_of(64, [100, 100]).most == 28


def test_what_a_small_project_does_not_want_is_for_the_large_one():
    assert share_of(64, [100, 6]).most == 50


def test_with_more_projects_than_room_each_has_one():
    assert share_of(8, [3] * 20).most == 1


@given(st.integers(8, 2000), st.lists(st.integers(1, 500), max_size=50))
def test_nobody_is_cut_while_there_is_room(capacity, demands):
    share = share_of(capacity, demands)
    used = sum(min(demand, share.most) for demand in demands)

    assert 1 <= share.few <= share.most <= max(share.common, share.few)
    assert used <= max(share.common, len(demands) * share.few)
    assert sum(demands) > share.common or used == sum(demands)


def test_a_project_beyond_its_share_is_refused_and_another_one_is_not(make_project):
    one, other = make_project(), make_project()
    workers_for(16)
    for _ in range(14):
        claim(side_task(one))

    too_many = side_task(one)

    assert refused(too_many)
    assert (fresh(too_many).status, fresh(too_many).attempt) == ("pending", 0)
    assert claim(side_task(other))


def test_the_reserve_is_for_many_projects(make_project):
    one, other, third = make_project(), make_project(), make_project()
    workers_for(16)
    for _ in range(14):
        claim(side_task(one))
    claim(side_task(other))

    assert refused(side_task(other))
    assert claim(side_task(third))


def test_the_share_follows_what_the_projects_want(make_project):
    one, other = make_project(), make_project()
    tasks = [[side_task(project) for _ in range(20)] for project in (one, other)]
    workers_for(16)

    assert capacity._share.most == 7
    Task.objects.filter(pk__in=[task.pk for task in tasks[1]]).update(status="cancelled")
    update_project_share()
    assert capacity._share.most == 14


def test_work_that_is_stopped_takes_no_share(make_project, owner):
    one, other = make_project(), make_project()
    for project in (one, other):
        for _ in range(20):
            side_task(project)
    stop(owner, project_id=other.pk)
    workers_for(16)

    assert capacity._share.most == 14

    release(owner, project_id=other.pk)
    update_project_share()
    assert capacity._share.most == 7


def test_workers_that_were_not_seen_lately_do_not_count(make_project):
    report_process("host:1:1", 64)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE worker_processes SET seen_at = seen_at - interval '1 minute'")
    workers_for(16)

    assert capacity._share.common == 14


def test_the_end_of_a_task_enqueues_one_that_was_refused(project, queue):
    workers_for(8)
    busy = [claim(side_task(project)).task for _ in range(7)]
    waiting = side_task(project)
    assert refused(waiting)

    enqueue_refused(busy[0])

    assert queue == [waiting.pk]


def test_where_nothing_was_refused_nothing_is_asked(project, queue, django_assert_num_queries):
    task = claim(side_task(project)).task

    with django_assert_num_queries(0):
        enqueue_refused(task)


def test_a_refused_project_is_forgotten_when_nothing_of_it_waits(project, queue):
    workers_for(8)
    busy = [claim(side_task(project)).task for _ in range(7)]
    waiting = side_task(project)
    refused(waiting)
    hand_back(worker_prefix=WORKER)
    claim(waiting)
    Task.objects.filter(status="pending").update(status="cancelled")

    enqueue_refused(busy[0])

    assert queue == []
    assert capacity._refused == set()


def test_a_task_that_is_taken_already_was_not_refused(project):
    workers_for(8)
    task = side_task(project)
    claim(task)

    assert refused(task)
    assert capacity._refused == set()


@pytest.fixture
def limited(settings):
    settings.AGENT_MODELS = {"orchestrator": "x:big", "analyst": "x:big", "architect": "x:small"}
    settings.MODEL_CONCURRENCY = {"x:big": 2}


def test_a_model_has_a_limit_over_all_projects_and_agents(make_project, limited):
    one, other = make_project(), make_project()
    claim(first_task(one))
    claim(side_task(other))

    assert refused(side_task(other))
    assert claim(side_task(other, agent_type="architect"))


def test_one_number_holds_for_each_model(make_project, settings, limited):
    settings.MODEL_CONCURRENCY = {"": 1, "x:big": 2}
    project = make_project()
    claim(side_task(project, agent_type="architect"))

    assert refused(side_task(project, agent_type="architect"))
    assert claim(side_task(project))
    assert claim(side_task(project))
    assert refused(side_task(project))


def test_an_agent_that_calls_no_model_counts_for_none(project, settings, monkeypatch):
    monkeypatch.setattr(agent_types["tester"], "calls_model", False, raising=False)
    settings.AGENT_MODELS = {"analyst": "x:big", "tester": "x:big"}
    settings.MODEL_CONCURRENCY = {"x:big": 1}
    claim(side_task(project))

    assert claim(side_task(project, agent_type="tester"))


def test_the_end_of_a_task_makes_room_for_one_of_its_model_in_another_project(
    make_project, limited, queue
):
    one, other = make_project(), make_project()
    busy = [claim(side_task(one)).task for _ in range(2)]
    waiting = side_task(other)
    assert refused(waiting)

    enqueue_refused(busy[0])

    assert queue == [waiting.pk]


@pytest.mark.django_db(transaction=True)
def test_claims_at_once_do_not_exceed_the_limit_of_a_model(make_project, limited):
    tasks = [side_task(make_project()) for _ in range(6)]
    together = Barrier(len(tasks))

    def race(task):
        try:
            together.wait(10)
            return claim_task(task_id=task.pk, worker=WORKER)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(tasks)) as pool:
        claims = [taken for taken in pool.map(race, tasks) if taken is not None]

    assert len(claims) == 2
