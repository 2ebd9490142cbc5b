"""Who wrote of what is decided may not decide on it, by whatever door the text came in."""

import pytest

from agents.models import Task
from audit.actors import Actor
from context.models import Artifact
from context.services import add_version, create_artifact
from core.errors import Forbidden
from hitl.models import HitlRequest
from hitl.rules import can_decide
from hitl.selectors import waiting_for_me
from orchestrator.engine.advance import advance_project
from orchestrator.engine.rewind import rewind_project
from projects.services import add_member
from tests.scenes import (
    OWN,
    asked,
    decide_as,
    finish,
    fresh,
    pending_request,
    pending_task,
    questions,
    running,
    set_policy,
    upload,
    work,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

LATER = {"text": "And it must be blue."}


def assert_barred(user, request, action="approve") -> None:
    with pytest.raises(Forbidden) as refusal:
        decide_as(user, request, action)
    assert refusal.value.code == "self_approval"
    assert can_decide(fresh(request), user).code == "self_approval"
    assert not waiting_for_me(HitlRequest.objects.all(), user).filter(pk=request.pk).exists()


def rewind(project, owner) -> None:
    rewind_project(project_id=project.pk, step="orchestrate", actor=Actor.of_user(owner))
    advance_project(project.pk)


def next_request(project, **content) -> HitlRequest:
    return finish(pending_task(project), work(**content))


@pytest.fixture
def amended_brief(project, owner):
    """The brief's next version, written after the start."""
    running(project)
    brief = Artifact.objects.get(project=project, artifact_type="user_input")
    add_version(actor=Actor.of_user(owner), artifact_id=brief.pk, content=LATER)
    return brief


@pytest.mark.parametrize("action", ["approve", "amend", "request_changes", "reject"])
def test_no_action_is_open_to_who_wrote_the_version(project, owner, action):
    asked(project)
    upload(owner, project)

    assert_barred(owner, pending_request(project), action)


def test_an_agent_that_does_it_again_does_not_make_it_anothers(project, owner, approver):
    asked(project)
    upload(owner, project)
    decide_as(approver, pending_request(project), "request_changes")
    advance_project(project.pk)

    assert_barred(owner, next_request(project, body="Almost the same."))


def test_who_amended_decides_on_no_later_version_of_it(project, owner, approver):
    decide_as(approver, asked(project), "amend")
    rewind(fresh(project), owner)
    request = next_request(project)

    assert_barred(approver, request)
    assert decide_as(owner, request).action == "approve"


def test_a_version_that_somebody_else_writes_on_top_does_not_help(project, owner, approver):
    asked(project)
    upload(owner, project)
    upload(approver, project, OWN | {"body": "One word more."})

    assert_barred(owner, pending_request(project))
    assert_barred(approver, pending_request(project))


def test_the_same_content_handed_in_elsewhere_is_theirs_too(project, owner):
    running(project)
    copied = OWN | {"body": "What the agent will be told to write."}
    create_artifact(
        actor=Actor.of_user(owner),
        project_id=project.pk,
        artifact_type="agent_output",
        title="A draft",
        content=work(**copied).outputs[0].content,
    )

    assert_barred(owner, next_request(project, **copied))


def test_who_changed_the_brief_does_not_decide_on_what_was_made_of_it(
    project, owner, approver, amended_brief
):
    rewind(fresh(project), owner)
    request = next_request(project)

    assert_barred(owner, request)
    assert decide_as(approver, request).action == "approve"


def test_another_input_after_the_start_is_a_change_of_the_brief(project, owner, approver):
    running(project)
    create_artifact(
        actor=Actor.of_user(approver),
        project_id=project.pk,
        artifact_type="user_input",
        title="One more wish",
        content=LATER,
    )
    rewind(fresh(project), owner)

    assert_barred(approver, next_request(project))


def test_the_brief_itself_bars_nobody(project, owner):
    assert decide_as(owner, asked(project)).action == "approve"


def test_a_change_that_was_not_handed_to_the_step_bars_nobody(project, owner, amended_brief):
    assert decide_as(owner, next_request(project)).action == "approve"


def test_who_changed_the_brief_may_answer_what_is_asked_about_it(project, owner, amended_brief):
    rewind(fresh(project), owner)
    request = finish(pending_task(project), questions())

    assert request.barred_authors == []
    assert decide_as(owner, request, "answer").action == "answer"


def test_everybody_sees_who_is_barred(project, owner, viewer, client_of):
    asked(project)
    upload(owner, project)

    row = client_of(viewer).get(f"/api/v1/hitl/requests/{pending_request(project).pk}/").json()

    assert row["barred_authors"] == [owner.pk]


def test_an_answer_counts_where_the_policy_says_so(project, owner, approver):
    set_policy(project, answers_count_as_content=True)
    decide_as(approver, finish(pending_task(running(project)), questions()), "answer")
    request = next_request(project)

    assert_barred(approver, request)
    assert decide_as(owner, request).action == "approve"


def test_an_answer_does_not_count_by_default(project, approver):
    decide_as(approver, finish(pending_task(running(project)), questions()), "answer")

    assert decide_as(approver, next_request(project)).action == "approve"


def test_the_answers_of_earlier_rounds_count_too(project, owner, approver):
    set_policy(project, answers_count_as_content=True)
    decide_as(approver, finish(pending_task(running(project)), questions()), "answer")
    decide_as(owner, next_request(project), "request_changes")
    advance_project(project.pk)

    assert_barred(approver, next_request(project))


def test_being_made_an_owner_does_not_help(project, owner, approver):
    asked(project)
    upload(approver, project)
    add_member(project_id=project.pk, actor=Actor.of_user(owner), user=approver, role="owner")

    assert_barred(approver, pending_request(project))


def test_loosening_the_policy_is_for_later_requests(project, owner):
    asked(project)
    upload(owner, project)
    set_policy(project, prevent_self_approval=False)

    assert_barred(owner, pending_request(project))


def test_the_policy_may_allow_it(project, owner):
    set_policy(project, prevent_self_approval=False)
    asked(project)
    upload(owner, project)

    assert decide_as(owner, pending_request(project)).action == "approve"


def test_what_an_older_release_opened_is_looked_up_later(project, owner, approver):
    asked(project)
    upload(owner, project)
    HitlRequest.objects.update(barred_authors=None)

    assert_barred(owner, pending_request(project))
    assert waiting_for_me(HitlRequest.objects.all(), approver).exists()
    assert decide_as(approver, pending_request(project)).action == "approve"


def test_a_claim_does_not_help(project, owner, client_of):
    asked(project)
    upload(owner, project)
    path = f"/api/v1/hitl/requests/{pending_request(project).pk}/claim/"

    refused = client_of(owner).post(path)

    assert (refused.status_code, refused.json()["code"]) == (403, "self_approval")


def test_bulk_decisions_hold_to_it(project, owner, client_of):
    asked(project)
    upload(owner, project)
    request = pending_request(project)
    items = [{"request": str(request.pk), "subject_digest": request.subject_digest}]

    answer = client_of(owner).post(
        "/api/v1/hitl/requests/bulk-decisions/", {"action": "approve", "items": items}
    )

    assert answer.json()["results"][0]["code"] == "self_approval"
    assert Task.objects.get(pk=request.task_id).status == "waiting_for_hitl"
