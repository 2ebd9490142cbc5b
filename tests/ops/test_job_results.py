"""What a failed job leaves behind: enough to find it in the logs, and nothing it worked on."""

import json
from datetime import timedelta

import pytest
from celery import shared_task
from celery.app.trace import build_tracer
from django.conf import settings
from django.db import OperationalError
from django.urls import reverse
from django.utils.timezone import now
from django_celery_results.models import TaskResult

from orchestrator.celery import app
from tests.end_to_end.conftest import start_worker
from tests.live import eventually
from tests.ui.web.conftest import logged_in

__all__ = ["start_worker"]

pytestmark = pytest.mark.django_db


class Refused(Exception):
    code = "refused"


ERRORS = {
    "refused": Refused("the body of an artifact"),
    "value": ValueError("the body of an artifact"),
    "away": OperationalError("the database is away"),
}


@pytest.fixture(autouse=True)
def one_connection(monkeypatch):
    """A job ends the connection of a transaction that it did not begin, as that of a test."""
    monkeypatch.setattr("django.db.close_old_connections", lambda: None)


@shared_task
def work(error=None):
    if error:
        raise ERRORS[error]


def run(job_id="job-1", **arguments):
    request = {
        "id": job_id,
        "task": work.name,
        "hostname": "engine@host",
        "argsrepr": "()",
        "kwargsrepr": repr(arguments),
    }
    build_tracer(work.name, work, app=app)(job_id, (), arguments, request)


def test_a_failed_job_is_kept_with_its_name_arguments_and_place():
    run(error="refused")

    kept = TaskResult.objects.get()
    assert (kept.task_name, kept.status, kept.worker) == (work.name, "FAILURE", "engine@host")
    error = json.loads(kept.result)
    assert (error["exc_type"], error["exc_message"]) == ("Refused", ["refused"])
    assert "raise ERRORS[error]" in kept.traceback


def test_what_the_error_says_is_not_kept():
    run(error="value")

    kept = TaskResult.objects.get()
    assert json.loads(kept.result)["exc_type"] == "ValueError"
    assert "artifact" not in f"{kept.result} {kept.traceback} {kept.meta}"


def test_a_job_that_succeeds_leaves_nothing():
    run()

    assert not TaskResult.objects.exists()


def test_the_same_failure_is_kept_once_a_minute():
    run("job-1", error="value")
    run("job-2", error="value")
    assert TaskResult.objects.count() == 1

    TaskResult.objects.update(date_done=now() - timedelta(minutes=2))
    run("job-3", error="value")
    assert TaskResult.objects.count() == 2


def test_nothing_is_tried_while_the_database_is_away(django_assert_num_queries):
    with django_assert_num_queries(0):
        run(error="away")


def test_a_result_that_cannot_be_kept_does_not_stop_the_job(monkeypatch):
    def fail(**kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(TaskResult.objects, "store_result", fail)
    run(error="value")


def test_results_end_after_their_days():
    run("old", error="value")
    TaskResult.objects.update(date_done=now() - settings.CELERY_RESULT_EXPIRES)
    run("new", error="value")

    app.tasks["celery.backend_cleanup"]()

    assert [kept.task_id for kept in TaskResult.objects.all()] == ["new"]
    assert "celery.backend_cleanup" in settings.CELERY_BEAT_SCHEDULE


def test_who_may_read_results_in_the_admin(staff, owner):
    run(error="refused")
    owner.is_staff = True
    owner.save()
    pages = [
        reverse("admin:django_celery_results_taskresult_changelist"),
        reverse(
            "admin:django_celery_results_taskresult_change", args=[TaskResult.objects.get().pk]
        ),
    ]

    for page in pages:
        assert work.name in logged_in(staff).get(page).content.decode()
        assert logged_in(owner).get(page).status_code == 403


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_real_worker_keeps_what_failed_and_nothing_of_what_did_not(start_worker):
    start_worker(processes=1)
    app.send_task("agents.tasks.run_task", ["no-uuid"], task_id="bad", queue="agents")
    app.send_task("orchestrator.tasks.sweep", task_id="good", queue="engine")

    kept = eventually(lambda: TaskResult.objects.filter(task_id="bad").first())

    assert (kept.task_name, kept.status) == ("agents.tasks.run_task", "FAILURE")
    assert "no-uuid" in kept.task_args
    assert json.loads(kept.result)["exc_type"] == "ValueError"
    assert "run_task" in kept.traceback
    assert not TaskResult.objects.exclude(task_id="bad").exists()
