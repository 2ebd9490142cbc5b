from itertools import product

import pytest

from agents.models import Task
from agents.services import retry_task
from audit.actors import Actor
from audit.models import Event
from audit.verification import verify_stream
from context.models import Artifact
from context.services import add_version
from core.errors import Conflict, Forbidden, Gone, InvalidInput, Unprocessable
from hitl.actions import action_choices, get_action
from hitl.models import Decision, HitlRequest
from hitl.services import decide
from orchestrator.engine.advance import advance_project
from projects.models import Project
from projects.services import cancel_project, pause_project
from tests.scenes import ALLOWED, KINDS, asked, finish, side_task, work

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

OTHER = {"summary": "My own plan.", "body": "By hand."}
TASK_AFTER = {
    "approve": "completed",
    # Somebody else has to approve it.
    "amend": "waiting_for_hitl",
    "request_changes": "cancelled",
    "reject": "failed",
    "answer": "pending",
    "try_again": "pending",
}
# Outside of a workflow no new round begins: the same task goes on.
TASK_ALONE_AFTER = TASK_AFTER | {"request_changes": "pending"}
POSSIBLE = [(kind, action) for kind in KINDS for action in sorted(ALLOWED[kind])]


def said(action: str) -> dict:
    content = {"amend": OTHER, "answer": "Members do, for two weeks."}
    return {"action": action, "comment": "Because of the risk.", "content": content.get(action)}


def decide_as(user, request, **changes):
    fields = said("approve") | {"subject_digest": request.subject_digest} | changes
    return decide(request_id=request.pk, actor=Actor.of_user(user), channel="rest", **fields)


def types_since(request, project) -> list[str]:
    asked_at = Event.objects.get(hitl_request=request.pk, event_type="hitl_request_created")
    later = Event.objects.filter(project=project.pk, sequence__gt=asked_at.sequence)
    return list(later.order_by("sequence").values_list("event_type", flat=True))


@pytest.mark.parametrize(("kind", "action"), POSSIBLE)
def test_an_allowed_action_settles_the_request_and_its_task_once(
    project, owner, approver, kind, action
):
    request = asked(project, kind)

    decision = decide_as(approver, request, **said(action))
    with pytest.raises(Conflict) as refusal:
        decide_as(owner, request, **said(action))

    request.refresh_from_db()
    assert request.status == get_action(action).outcome
    assert request.resolved_at is not None
    assert Decision.objects.get() == decision
    assert decision.decided_by == approver
    assert decision.channel == "rest"
    assert decision.subject_digest == request.subject_digest
    after = TASK_AFTER if request.step else TASK_ALONE_AFTER
    assert Task.objects.get(pk=request.task_id).status == after[action]
    types = types_since(request, project)
    assert types.count("hitl_decision_recorded") == 1
    assert types.count("hitl_request_resolved") == 1
    assert verify_stream(project.pk).valid
    assert refusal.value.code == "already_decided"
    assert refusal.value.extra["decision"]["action"] == action
    assert refusal.value.extra["decision"]["decided_by_username"] == "approver"


@pytest.mark.parametrize("kind", KINDS)
def test_an_action_that_the_request_does_not_allow_is_refused(project, owner, subtests, kind):
    request = asked(project, kind)

    for action in (action for action, _ in action_choices() if action not in ALLOWED[kind]):
        with subtests.test(action):
            with pytest.raises(Unprocessable) as refusal:
                decide_as(owner, request, **said(action))

            assert refusal.value.code == "action_not_allowed"
            assert set(refusal.value.extra["allowed_actions"]) == ALLOWED[kind]
            assert not Decision.objects.exists()


def test_who_turns_down_must_say_why(project, approver, subtests):
    request = asked(project)

    for action, comment in product(("reject", "request_changes"), ("", "   ", "\n\t")):
        with subtests.test(action, comment=comment):
            with pytest.raises(Unprocessable) as refusal:
                decide_as(approver, request, action=action, comment=comment)

            assert refusal.value.code == "comment_required"
            assert refusal.value.errors[0]["field"] == "comment"


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("plan_approval", "amend"),
        ("clarification", "answer"),
    ],
)
def test_amend_and_answer_need_content(project, approver, kind, action, subtests):
    request = asked(project, kind)

    for content in (None, "", {}, []):
        with subtests.test(content=content):
            with pytest.raises(Unprocessable) as refusal:
                decide_as(approver, request, action=action, content=content)

            assert refusal.value.code == "content_required"


def test_an_answer_is_text(project, approver, subtests):
    request = asked(project, "clarification")

    for content in ("   ", "\0", "\ud800", 5, True):
        with subtests.test(content=ascii(content)):
            with pytest.raises(Unprocessable) as refusal:
                decide_as(approver, request, action="answer", content=content)

            assert refusal.value.code == "content_required"


def test_an_amendment_must_fit_the_schema(project, approver):
    request = asked(project)

    with pytest.raises(InvalidInput) as refusal:
        decide_as(approver, request, action="amend", content={"summary": "no body"})

    request.refresh_from_db()
    assert refusal.value.errors[0]["field"] == "content.body"
    assert request.status == "pending"
    assert Artifact.objects.get(step="orchestrate").version == 1


def test_what_is_approved_is_exactly_what_goes_on(project, approver):
    request = asked(project)

    decide_as(approver, request)

    output = request.subject["outputs"][0]
    artifact = Artifact.objects.get(pk=output["artifact"])
    assert artifact.accepted_version == output["version"]
    assert artifact.versions.get(number=output["version"]).status == "accepted"
    assert artifact.versions.get(number=output["version"]).sha256 == output["sha256"]
    assert Task.objects.get(pk=request.task_id).result["outputs"] == request.subject["outputs"]


def test_an_amendment_becomes_the_persons_own_version(project, approver):
    request = asked(project)

    decide_as(approver, request, action="amend", content=OTHER)

    artifact = Artifact.objects.get(step="orchestrate")
    newest = artifact.versions.get(number=2)
    assert artifact.accepted_version is None
    assert newest.author == approver
    assert newest.content["body"] == "By hand."
    assert Task.objects.get(pk=request.task_id).result["outputs"][0]["version"] == 2


def test_requested_changes_lead_to_a_new_request_that_names_the_old_one(project, approver):
    request = asked(project)
    decide_as(approver, request, action="request_changes", comment="Name the risks.")

    advance_project(project.pk)
    next_task = Task.objects.get(project=project, is_current=True)
    newer = finish(next_task, work(body="# The plan with risks"))

    assert next_task.round == 2
    assert next_task.handoff["feedback"][0]["comment"] == "Name the risks."
    assert newer.previous == request
    assert newer.status == "pending"


def test_a_reject_fails_the_project_with_the_reason(project, approver):
    request = asked(project)

    decide_as(approver, request, action="reject", comment="Too dear.")
    advance_project(project.pk)

    stopped = Project.objects.get(pk=project.pk)
    assert stopped.status == "failed"
    assert "Too dear." in stopped.status_reason


def test_an_answer_reaches_the_agent(project, approver):
    request = asked(project, "clarification")

    decide_as(approver, request, action="answer", content="Members, for two weeks.")

    task = Task.objects.get(pk=request.task_id)
    assert task.answers[0]["answer"] == "Members, for two weeks."
    assert task.answers[0]["answered_by"] == "approver"


@pytest.mark.parametrize("digest", ["", "0" * 64, "no digest"])
def test_only_what_was_shown_can_be_decided_on(project, approver, digest):
    request = asked(project)

    with pytest.raises(Conflict) as refusal:
        decide_as(approver, request, subject_digest=digest)

    assert refusal.value.code == "subject_changed"
    assert refusal.value.extra["subject_digest"] == request.subject_digest


def test_a_new_version_meanwhile_makes_the_decision_stale(project, owner, approver):
    request = asked(project)
    artifact = Artifact.objects.get(step="orchestrate")
    add_version(actor=Actor.of_user(owner), artifact_id=artifact.pk, content=OTHER)

    with pytest.raises(Conflict) as refusal:
        decide_as(approver, request)

    assert refusal.value.code == "subject_changed"
    assert not Decision.objects.exists()


def test_a_superseded_request_names_the_newer_one(project, owner, approver):
    request = asked(project)
    artifact = Artifact.objects.get(step="orchestrate")
    add_version(actor=Actor.of_user(owner), artifact_id=artifact.pk, content=OTHER)
    advance_project(project.pk)
    newer = HitlRequest.objects.pending().get(project=project)

    with pytest.raises(Conflict) as refusal:
        decide_as(approver, request)

    request.refresh_from_db()
    assert request.status == "superseded"
    assert refusal.value.extra["newer_request"] == str(newer.pk)
    assert decide_as(approver, newer).action == "approve"


def test_nobody_approves_what_they_wrote(project, owner):
    asked(project)
    artifact = Artifact.objects.get(step="orchestrate")
    add_version(actor=Actor.of_user(owner), artifact_id=artifact.pk, content=OTHER)
    advance_project(project.pk)

    with pytest.raises(Forbidden) as refusal:
        decide_as(owner, HitlRequest.objects.pending().get(project=project))

    assert refusal.value.code == "self_approval"


def test_a_request_of_a_cancelled_project_is_closed(project, owner, approver):
    request = asked(project)
    cancel_project(project_id=project.pk, actor=Actor.of_user(owner))

    with pytest.raises(Conflict) as refusal:
        decide_as(approver, request)

    assert refusal.value.code == "request_closed"


def test_an_expired_request_is_gone(project, approver):
    request = asked(project)
    request.close("expired")
    request.save()

    with pytest.raises(Gone) as refusal:
        decide_as(approver, request)

    assert refusal.value.code == "expired"


def test_nothing_is_taken_for_a_yes(project, approver):
    request = asked(project)

    for action in ("", "yes", "APPROVE", "approved", "none"):
        with pytest.raises(InvalidInput):
            decide_as(approver, request, action=action)

    assert not Decision.objects.exists()


def test_an_approved_side_task_is_done(project, approver):
    request = finish(side_task(project), work())

    decide_as(approver, request)

    assert Task.objects.get(pk=request.task_id).status == "completed"


def test_changes_of_a_side_task_are_made_by_the_same_task(project, approver):
    request = finish(side_task(project), work())
    decide_as(approver, request, action="request_changes", comment="Name the risks.")

    retried = Task.objects.get(pk=request.task_id)
    newer = finish(retried, work(body="# The plan with risks"))

    output = newer.subject["outputs"][0]
    before = request.subject["outputs"][0]
    assert retried.handoff["feedback"][0]["comment"] == "Name the risks."
    assert [material["version"] for material in retried.handoff["materials"]] == [1]
    assert (newer.previous, newer.status) == (request, "pending")
    assert (output["artifact"], output["version"]) == (before["artifact"], 2)


def test_changes_asked_for_twice_hand_over_the_last_version_only(project, approver):
    request = finish(side_task(project), work())
    for number in (2, 3):
        decide_as(approver, request, action="request_changes", comment=f"Again, {number}.")
        task = Task.objects.get(pk=request.task_id)
        request = finish(task, work(body=f"# Plan {number}"))

    assert [item["version"] for item in task.handoff["materials"]] == [2]
    assert [item["comment"] for item in task.handoff["feedback"]] == ["Again, 2.", "Again, 3."]


@pytest.mark.parametrize("action", ["request_changes", "reject"])
def test_a_retry_does_not_undo_a_decision(project, owner, approver, action):
    request = asked(project)
    pause_project(project_id=project.pk, actor=Actor.of_user(owner))
    decide_as(approver, request, **said(action))

    with pytest.raises(Conflict):
        retry_task(task_id=request.task_id, actor=Actor.of_user(owner))

    assert Task.objects.get(pk=request.task_id).status == TASK_AFTER[action]


def test_the_same_work_again_asks_anew_for_the_same_content(project, approver):
    request = asked(project)
    decide_as(approver, request, action="request_changes", comment="Once more.")
    advance_project(project.pk)

    newer = finish(Task.objects.get(project=project, is_current=True), work())

    assert newer.subject_digest != request.subject_digest
    assert newer.subject["outputs"][0]["sha256"] == request.subject["outputs"][0]["sha256"]


def test_a_paused_project_can_be_decided_on_and_waits(project, owner, approver):
    request = asked(project)
    pause_project(project_id=project.pk, actor=Actor.of_user(owner))

    decide_as(approver, request)
    advance_project(project.pk)

    assert Task.objects.filter(project=project).count() == 1
    assert Project.objects.get(pk=project.pk).status == "paused"
