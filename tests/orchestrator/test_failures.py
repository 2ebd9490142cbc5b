import hashlib

import pytest

from agents.models import Task
from audit.actors import Actor
from audit.models import Event
from core.idempotency import forget_old_keys
from core.models import IdempotencyKey
from hitl.services import decide
from orchestrator.engine.advance import advance_project
from orchestrator.engine.progress import progress_of
from orchestrator.models import WorkflowRun
from orchestrator.tasks import advance
from projects.services import pause_project, start_project
from tests.scenes import asked

pytestmark = pytest.mark.django_db


@pytest.fixture
def broken(project, owner):
    """A project whose pinned definition nobody can read any more."""
    start_project(project_id=project.pk, actor=Actor.of_user(owner))
    advance_project(project.pk)
    # Pinned as such: what is changed afterwards is found before it is read.
    sha256 = hashlib.sha256(b"{}").hexdigest()
    WorkflowRun.objects.filter(project=project).update(definition={}, definition_hash=sha256)
    return project


def errors_of(project):
    return Event.objects.filter(project=project.pk, event_type="system_error").count()


def test_an_engine_that_cannot_go_on_says_so_once(broken):
    for _ in range(4):
        advance(str(broken.pk))

    broken.refresh_from_db()
    assert broken.engine_failures == 4
    assert "ValidationError" in broken.engine_error
    assert errors_of(broken) == 1


def test_a_passing_fault_is_not_shown_and_forgotten_by_the_next_advance(broken):
    pinned = WorkflowRun.objects.get(project=broken)
    advance(str(broken.pk))
    good = pinned.__class__.objects.filter(project=broken)
    from orchestrator.engine.definition import definition_hash, load_definition

    definition = load_definition("sdlc")
    good.update(definition=definition.to_json(), definition_hash=definition_hash(definition))
    advance(str(broken.pk))

    broken.refresh_from_db()
    assert broken.engine_failures == 0
    assert errors_of(broken) == 0


def test_progress_names_the_engine_as_what_is_waited_for(project, owner):
    start_project(project_id=project.pk, actor=Actor.of_user(owner))
    advance_project(project.pk)
    project.refresh_from_db()
    project.engine_error = "KeyError in the engine"

    assert progress_of(project)["waiting_for"][0]["what"] == "engine_error"


def test_a_reject_stops_a_paused_project(project, owner, approver):
    request = asked(project)
    pause_project(project_id=project.pk, actor=Actor.of_user(owner))
    decide(
        request_id=request.pk,
        actor=Actor.of_user(approver),
        action="reject",
        subject_digest=request.subject_digest,
        comment="Not what we need.",
        channel="test",
    )

    advance_project(project.pk)

    project.refresh_from_db()
    assert project.status == "failed"
    assert "Not what we need." in project.status_reason
    assert not Task.objects.filter(project=project).open().exists()


def test_keys_are_forgotten_after_a_day(owner):
    from datetime import timedelta

    from django.utils import timezone

    old = IdempotencyKey.objects.create(user=owner, key="old", fingerprint="0" * 64)
    IdempotencyKey.objects.create(user=owner, key="new", fingerprint="0" * 64)
    IdempotencyKey.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=25))

    assert forget_old_keys() == 1
    assert IdempotencyKey.objects.get().key == "new"
