from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db.models import F
from django.db.models.functions import Now

from agents.models import Task
from agents.services import claim_task
from audit.actors import Actor
from audit.models import Event
from orchestrator.engine.advance import advance_project
from projects.models import Project
from projects.services import start_project

pytestmark = pytest.mark.django_db
LONG = timedelta(minutes=5)


def sweep() -> list[str]:
    out = StringIO()
    call_command("sweep", stdout=out)
    return out.getvalue().splitlines()


@pytest.fixture
def task(project):
    start_project(project_id=project.pk, actor=Actor.of_user(project.created_by))
    advance_project(project.pk)
    return Task.objects.get(project=project)


def test_with_nothing_to_repair_every_count_is_zero(db):
    assert sweep() == [
        "tasks_taken_back: 0",
        "reservations_returned: 0",
        "stop_notices_recorded: 0",
        "deadlines_applied: 0",
        "actions_closed: 0",
        "tasks_enqueued: 0",
        "projects_enqueued: 0",
        "idempotency_keys_forgotten: 0",
        "exchanges_forgotten: 0",
        "tokens_forgotten: 0",
        "plain_tokens_deleted: 0",
        "failed_logins_counted: 0",
        "groups_brought_in_line: 0",
    ]


def test_a_task_that_nobody_picked_up_is_enqueued_again(task):
    Task.objects.update(enqueued_at=F("enqueued_at") - LONG)

    assert "tasks_enqueued: 1" in sweep()
    assert "tasks_enqueued: 0" in sweep()


def test_a_task_whose_worker_is_lost_is_taken_back(task):
    claim_task(task_id=task.pk, worker="test:1:1")
    Task.objects.update(lease_expires_at=Now() - LONG)

    assert "tasks_taken_back: 1" in sweep()
    task.refresh_from_db()
    assert task.status == "pending"
    assert Event.objects.get(event_type="task_retried").metadata == {"channel": "sweep"}


def test_a_project_that_waits_for_the_engine_is_enqueued(project):
    Project.objects.filter(pk=project.pk).update(attention_since=Now() - LONG)

    assert "projects_enqueued: 1" in sweep()
    assert "projects_enqueued: 0" in sweep()
