"""The job by which the scheduler sweeps."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from orchestrator import tasks
from orchestrator.celery import app
from orchestrator.engine import sweep as engine
from projects.models import Project

pytestmark = pytest.mark.django_db
LONG = timedelta(minutes=5)


@pytest.fixture(autouse=True)
def _no_sweep_yet(monkeypatch):
    monkeypatch.setattr(tasks, "_swept_at", float("-inf"))


def test_of_many_that_piled_up_only_the_first_one_looks():
    first, second = tasks.sweep(), tasks.sweep()

    assert "tasks_enqueued" in first
    assert second == {}


def test_after_a_moment_the_next_one_looks_again(monkeypatch):
    monkeypatch.setattr(tasks, "SWEEP_PAUSE_SECONDS", 0.0)

    assert all("tasks_enqueued" in tasks.sweep() for _ in range(2))


def test_no_clock_decides_whether_a_sweep_is_still_wanted():
    """A worker whose clock is ahead throws away what expires."""
    options = app.conf.beat_schedule["sweep"].get("options", {})

    assert not {"expires", "eta", "countdown"} & set(options)


def test_a_part_that_fails_is_told_and_keeps_no_other_from_its_work(monkeypatch, project):
    Project.objects.filter(pk=project.pk).update(attention_since=Now() - LONG)

    def fail() -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(engine, "take_back_lost_tasks", fail)
    with pytest.raises(ZeroDivisionError):
        engine.sweep()

    waiting = Project.objects.filter(pk=project.pk, attention_since__lt=Now() - LONG / 2)
    assert not waiting.exists()
