"""What the engine does, and leaves undone, while an emergency stop stands."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from agents.models import StopNotice, Task
from agents.services import activate_emergency_stop
from audit.actors import Actor
from hitl.models import HitlRequest
from hitl.services import apply_deadlines
from orchestrator.engine.sweep import sweep
from projects.models import Project
from tests.scenes import (
    advance,
    current,
    decide_as,
    do,
    open_steps,
    release,
    request_at,
    started,
    stop,
    types_of,
)

HOUR = timedelta(hours=1)
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project", "whole_logs")]


def test_a_decision_is_recorded_and_resumes_nothing(project, owner, approver):
    started(project)
    do(project, "left")
    do(project, "right")
    decide_as(approver, request_at(project, "left"), "approve")
    stop(owner, project_id=project.pk)

    decide_as(approver, request_at(project, "right"), "approve")

    assert current(project, "right").status == "completed"
    assert not Task.objects.filter(step="join").exists()
    release(owner, project_id=project.pk)
    advance(project)
    assert open_steps(project) == {"join"}


def test_requested_changes_are_made_after_the_release(project, owner, approver):
    started(project)
    do(project, "left")
    stop(owner, project_id=project.pk)

    decide_as(approver, request_at(project, "left"), "request_changes", comment="Shorter.")

    assert open_steps(project) == {"right"}
    release(owner, project_id=project.pk)
    advance(project)
    assert current(project, "left").round == 2


def test_a_reject_ends_a_stopped_project(project, owner, approver):
    started(project)
    do(project, "left")
    stop(owner, project_id=project.pk)

    decide_as(approver, request_at(project, "left"), "reject", comment="Not at all.")

    assert Project.objects.get().status == "failed"


def test_a_stopped_agent_gets_no_step_and_the_others_do(project, owner, staff):
    stop(staff, agent_type="architect")

    started(project)

    assert open_steps(project) == {"right"}
    release(staff, agent_type="architect")
    advance(project)
    assert open_steps(project) == {"left", "right"}


def test_a_release_lets_the_engine_advance(project, owner):
    stop(owner, project_id=project.pk)
    started(project)
    assert open_steps(project) == set()

    release(owner, project_id=project.pk)

    assert open_steps(project) == {"left", "right"}


def test_a_project_that_became_active_during_a_stop_starts_after_it(project, staff):
    stop(staff)
    started(project)
    assert open_steps(project) == set()

    release(staff)

    advance(project)
    assert open_steps(project) == {"left", "right"}


def test_the_sweep_tells_what_a_request_could_not_tell(project, owner):
    started(project)
    stop(owner, project_id=project.pk)
    StopNotice.objects.update(activation_told_at=None)

    assert sweep()["stop_notices_recorded"] == 1
    assert types_of(project.pk)[-1] == "emergency_stop_activated"


def test_no_deadline_comes_nearer_while_the_project_is_stopped(project, owner, staff):
    started(project)
    do(project, "left")
    HitlRequest.objects.update(expires_at=Now() + HOUR, on_timeout="reject")
    stop(owner, project_id=project.pk)
    stop(staff)
    HitlRequest.objects.update(expires_at=Now() - HOUR, held_since=Now() - 3 * HOUR)

    assert sweep()["deadlines_applied"] == 0
    release(staff)
    assert sweep()["deadlines_applied"] == 0

    release(owner, project_id=project.pk)
    request = request_at(project, "left")
    assert request.held_since is None
    assert HitlRequest.objects.filter(expires_at__gt=Now() + HOUR).exists()


def test_a_deadline_that_falls_between_the_stop_and_its_notice_does_not_count(project, owner):
    started(project)
    do(project, "left")
    HitlRequest.objects.update(expires_at=Now() - HOUR, on_timeout="reject")
    activate_emergency_stop(actor=Actor.of_user(owner), reason="Now.", project_id=project.pk)

    assert apply_deadlines() == 0
    assert request_at(project, "left").is_pending


def test_with_one_agent_type_stopped_deadlines_go_on(project, staff):
    started(project)
    do(project, "left")

    stop(staff, agent_type="coder")

    assert request_at(project, "left").held_since is None
