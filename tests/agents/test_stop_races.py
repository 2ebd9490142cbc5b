"""A stop and its release come at the same moment as something else."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from agents.models import StopNotice
from agents.services import (
    activate_emergency_stop,
    claim_task,
    record_stop_notices,
    release_emergency_stop,
)
from audit.actors import Actor
from tests.live import eventually
from tests.probes import somebody_waits_for_us
from tests.scenes import WORKER, first_task, fresh, told

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("whole_logs")]


def elsewhere(pool, work, *arguments, **named):
    """In a thread, on a connection of its own."""

    def run():
        try:
            return work(*arguments, **named)
        finally:
            connection.close()

    return pool.submit(run)


def test_a_log_that_is_told_in_the_moment_of_the_release_is_told_all(project, owner):
    first_task(project)
    actor = Actor.of_user(owner)
    activate_emergency_stop(actor=actor, reason="It deletes files.", project_id=project.pk)
    StopNotice.objects.update(activation_told_at=None)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            release_emergency_stop(actor=actor, reason="A drill.", project_id=project.pk)
            telling = elsewhere(pool, record_stop_notices)
            eventually(somebody_waits_for_us)
        assert telling.result(30) == 1

    assert [kind for kind, _ in told(project)] == ["activated", "activated", "released"]
    assert told(project)[-1][1]["reason"] == "A drill."


def test_a_claim_does_not_wait_for_a_stop_that_is_not_committed_and_a_later_one_is_refused(
    project, owner
):
    task = first_task(project)
    scope = {"actor": Actor.of_user(owner), "project_id": project.pk}

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            activate_emergency_stop(reason="It deletes files.", **scope)
            early = elsewhere(pool, claim_task, task_id=task.pk, worker=WORKER)
            assert early.result(30)
        late = elsewhere(pool, claim_task, task_id=task.pk, worker=WORKER)
        assert late.result(30) is None

    assert fresh(task).attempt == 1


def test_of_many_who_stop_and_release_at_once_none_fails_and_the_work_goes_on(project, owner):
    task = first_task(project)
    scope = {"actor": Actor.of_user(owner), "project_id": project.pk}
    activate_emergency_stop(reason="First.", **scope)

    with ThreadPoolExecutor(4) as pool:
        work = [activate_emergency_stop, release_emergency_stop] * 10
        for one in [elsewhere(pool, verb, reason="A drill.", **scope) for verb in work]:
            one.result(30)
    release_emergency_stop(reason="At last.", **scope)
    record_stop_notices()

    kinds = [kind for kind, _ in told(project)]
    assert kinds.count("activated") == kinds.count("released")
    assert claim_task(task_id=task.pk, worker=WORKER)
