"""The ten faults that recur in systems of this kind. Each has a test that it cannot happen here."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from agents.context_assembly import assignment_of
from agents.models import Task
from audit.actors import Actor
from audit.models import Event
from audit.verification import verify_stream
from context.models import Artifact
from core.errors import Conflict, Forbidden, Gone, InvalidInput
from hitl.models import Decision, HitlRequest
from hitl.selectors import waiting_for_me
from hitl.services import apply_deadlines
from orchestrator.engine.advance import advance_project
from orchestrator.engine.rewind import rewind_project
from orchestrator.engine.sweep import sweep
from projects.models import Project
from tests.scenes import (
    OWN,
    asked,
    decide_as,
    finish,
    fresh,
    let_pass,
    pending_request,
    pending_task,
    questions,
    running,
    set_policy,
    time_out,
    types_of,
    upload,
    work,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]


def rewind(project: Project, owner: User) -> Task:
    rewind_project(project_id=project.pk, step="orchestrate", actor=Actor.of_user(owner))
    advance_project(project.pk)
    return pending_task(project)


def test_1_approved_x_but_executed_y(project, owner, approver):
    """Exactly the approved version goes on; a version after the approval does not slip in."""
    request = asked(project)
    artifact = Artifact.objects.get(step="orchestrate")
    upload(owner, project)
    with pytest.raises(Conflict):
        decide_as(approver, request)
    request = pending_request(project)
    decide_as(approver, request)
    upload(owner, project, OWN | {"body": "Smuggled in after the approval."})

    advance_project(project.pk)

    following = Task.objects.get(project=project, step="project_plan")
    handed = {m.artifact_type: m for m in assignment_of(following).materials}
    output = request.subject["outputs"][0]
    assert handed["agent_output"].sha256 == output["sha256"]
    assert handed["agent_output"].content["body"] == OWN["body"]
    assert fresh(artifact).accepted_version == output["version"]


def test_2_the_answer_is_recorded_but_the_run_never_resumes(project, approver, monkeypatch):
    """The message is lost; the sweep finds the task that the decision made due."""
    request = asked(project)
    with monkeypatch.context() as outage:
        outage.setattr("agents.queue.enqueue", lambda job, id: False)
        decide_as(approver, request)
    task = Task.objects.get(project=project, step="project_plan")
    Task.objects.filter(pk=task.pk).update(enqueued_at="2000-01-01T00:00:00Z")
    enqueued = []
    monkeypatch.setattr("agents.services.recovery.enqueue", lambda job, id: enqueued.append(id))

    sweep()

    assert enqueued == [task.pk]
    assert task.status == "pending"


def test_3_timer_and_person_race(project, approver):
    """Whoever is second finds the first, in either order. The real race is a slow test."""
    set_policy(project, expire_after=60, on_timeout="reject")
    first = asked(project)
    decide_as(approver, first)
    assert time_out(first).status == "approved"

    advance_project(project.pk)
    second = finish(pending_task(project), questions())
    time_out(second)
    with pytest.raises(Gone):
        decide_as(approver, second, "answer")

    outcomes = Event.objects.filter(
        event_type__in=["hitl_request_resolved", "hitl_request_expired"]
    )
    assert outcomes.filter(hitl_request=first.pk).count() == 1
    assert outcomes.filter(hitl_request=second.pk).count() == 1


def test_4_a_timeout_is_logged_as_a_persons_no(project):
    """Expiry is the scheduler's act, the reason says that nobody decided."""
    set_policy(project, expire_after=60, on_timeout="reject")
    request = time_out(asked(project))
    advance_project(project.pk)

    events = Event.objects.filter(project=project.pk, sequence__gt=1).order_by("-sequence")
    expired = events.get(event_type="hitl_request_expired")
    assert request.status == "expired"
    assert not Decision.objects.exists()
    assert (expired.event_source, expired.actor) == ("scheduler", "system:sweep")
    assert not events.filter(sequence__gte=expired.sequence, event_source="user").exists()
    assert "Nobody decided" in fresh(project).status_reason


def test_5_nobody_knows_who_or_why(project, approver):
    """Who, when, through which channel, why, and about exactly what; immutable and in the chain."""
    request = asked(project)
    decision = decide_as(approver, request, "request_changes", comment="Name the risks.")

    event = Event.objects.get(event_type="hitl_decision_recorded")
    assert (decision.decided_by, decision.channel) == (approver, "rest")
    assert event.actor == f"user:{approver.pk}"
    assert event.data["comment"] == "Name the risks."
    assert event.data["subject_digest"] == request.subject_digest
    assert verify_stream(project.pk).valid
    decision.comment = "I never said that."
    with pytest.raises(Exception, match="append-only"):
        decision.save()


def test_6_self_approval_through_a_side_door(project, owner, approver):
    """Upload, have it turned down, let the agent do it again: it is still the uploader's."""
    asked(project)
    upload(owner, project)
    decide_as(approver, pending_request(project), "request_changes")
    advance_project(project.pk)
    laundered = finish(pending_task(project), work(body="Nearly the owner's words."))

    with pytest.raises(Forbidden) as refusal:
        decide_as(owner, laundered)

    assert refusal.value.code == "self_approval"


def test_7_a_missing_decision_or_a_link_scanner_is_taken_for_a_yes(project, approver, client_of):
    """Looking decides nothing, an empty answer decides nothing, and neither does time."""
    set_policy(project, remind_after=10, due_after=20)
    request = asked(project)
    api, browser = client_of(approver), Client()
    approver.is_staff = True
    approver.save()
    browser.force_login(approver)
    path = f"/api/v1/hitl/requests/{request.pk}/"

    for look in (api.get, api.head, api.options):
        for page in (path, f"{path}decisions/"):
            look(page)
    for page in ("", "decide/"):
        browser.get(f"/admin/hitl/hitlrequest/{request.pk}/{page}?action=approve")
    for body in ({}, {"subject_digest": request.subject_digest}, {"action": "approve"}):
        assert api.post(f"{path}decisions/", body).status_code == 400
    for action in ("", "yes", "APPROVE"):
        with pytest.raises(InvalidInput):
            decide_as(approver, request, action)
    let_pass(request, 10_000)
    apply_deadlines()

    assert fresh(request).status == "pending"
    assert not Decision.objects.exists()


def test_8_a_reject_or_an_edit_is_not_honoured_later(project, owner, approver):
    """An edit is the truth of every later round; a reject stops the project, for its reason."""
    decide_as(approver, asked(project), "amend")
    task = rewind(fresh(project), owner)
    material = next(item for item in assignment_of(task).materials if item.revises)
    decide_as(owner, finish(task, work(**OWN)), "reject", comment="Too dear.")
    advance_project(project.pk)

    assert (material.content["body"], material.changed_by_person) == (OWN["body"], True)
    assert fresh(project).status == "failed"
    assert "Too dear." in fresh(project).status_reason
    assert not Task.objects.filter(project=project).open().exists()


def test_9_no_restart_from_a_step_or_one_that_replays_stale_answers(project, owner, approver):
    """A rewind asks anew; what was answered and approved before counts for nothing."""
    decide_as(approver, finish(pending_task(running(project)), questions()), "answer")
    before = finish(pending_task(project), work())
    decide_as(approver, before)
    advance_project(project.pk)

    task = rewind(fresh(project), owner)
    repeated = finish(task, work())

    assert task.answers == []
    assert (repeated.status, repeated.previous) == ("pending", before)
    assert repeated.subject_digest != before.subject_digest
    with pytest.raises(Conflict, match="what you were shown"):
        decide_as(approver, repeated, subject_digest=before.subject_digest)
    assert fresh(repeated).status == "pending"


def test_10_too_many_prompts_and_no_overview(make_project, owner, approver, client_of):
    """Few questions where few are wanted; all that wait in one list, with counts and in bulk."""
    unattended = make_project(name="Quiet", oversight_level="low")
    assert pending_task(running(unattended)).gate == ""
    waiting = [asked(make_project(name=f"Library {n}")) for n in range(3)]
    api = client_of(approver)

    listed = api.get("/api/v1/hitl/requests/?mine=true").json()
    numbers = api.get("/api/v1/hitl/statistics/").json()
    items = [{"request": str(r.pk), "subject_digest": r.subject_digest} for r in waiting]
    done = api.post(
        "/api/v1/hitl/requests/bulk-decisions/", {"action": "approve", "items": items}
    ).json()["results"]

    assert listed["count"] == numbers["pending"] == 3
    assert [result["status"] for result in done] == [201, 201, 201]
    assert not waiting_for_me(HitlRequest.objects.all(), owner).exists()
    assert all(types_of(r).count("hitl_request_resolved") == 1 for r in waiting)
