import pytest
from django.db.models.functions import Now

from agents.models import WorkerProcess
from agents.worker.registry import (
    forget_consumer,
    forget_processes,
    read_presence,
    report_consumer,
    report_process,
    report_scheduler,
)
from tests.scenes import HOUR, stop

pytestmark = pytest.mark.django_db


def names():
    return list(WorkerProcess.objects.values_list("name", flat=True))


def test_consumers_are_known_by_the_queues_that_they_take_jobs_from():
    report_consumer("both@host", ["engine", "agents"])
    report_consumer("agents@host", ["agents"])

    consumers = read_presence().consumers

    assert consumers["engine"] == ["both@host"]
    assert sorted(consumers["agents"]) == ["agents@host", "both@host"]


def test_a_process_that_runs_tasks_is_no_sign_that_jobs_are_taken():
    report_process("host:1:2")

    assert read_presence().consumers == {}


def test_a_consumer_that_reports_no_more_is_missed():
    report_consumer("agents@host", ["agents"])
    WorkerProcess.objects.update(seen_at=Now() - HOUR / 60)

    assert read_presence().consumers == {}


def test_a_consumer_that_ends_is_missed_at_once():
    report_consumer("agents@host", ["agents"])
    forget_consumer("agents@host")

    assert read_presence().consumers == {}


def test_the_age_of_the_last_beat_is_known():
    assert read_presence().beat_age_seconds is None

    report_scheduler()

    assert 0 <= read_presence().beat_age_seconds < 60


def test_only_processes_that_run_tasks_are_expected_to_acknowledge_a_stop(staff):
    report_process("host:1:2")
    report_consumer("agents@host", ["agents"])
    report_scheduler()

    assert stop(staff).missing_workers == ["host:1:2"]


def test_the_processes_of_a_worker_are_forgotten_together_and_those_of_others_are_not():
    for name in ("host:1:2", "host:1:3", "host:12:3"):
        report_process(name)

    forget_processes("host:1:")

    assert names() == ["host:12:3"]


def test_who_was_not_seen_for_long_is_forgotten():
    report_process("host:1:2")
    WorkerProcess.objects.update(seen_at=Now() - 2 * HOUR)

    report_process("host:1:3")

    assert names() == ["host:1:3"]
