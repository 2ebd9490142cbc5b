"""What changed since the last decision; every channel means the same by it."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from audit.actors import Actor
from context.models import Artifact
from context.services import add_version
from hitl.models import HitlRequest
from hitl.presenter import present_request
from hitl.services import decide
from orchestrator.engine.advance import advance_project
from orchestrator.engine.rewind import rewind_project
from projects.models import Project
from tests.scenes import asked, escalate, finish, pending_task, work

pytestmark = pytest.mark.django_db

OWN = {"summary": "My own plan.", "body": "By hand."}
STEP = "orchestrate"


def settle(request: HitlRequest, user: User, action: str, **fields) -> None:
    decide(
        request_id=request.pk,
        actor=Actor.of_user(user),
        action=action,
        subject_digest=request.subject_digest,
        channel="rest",
        **fields,
    )
    advance_project(request.project_id)


def ask_again(project, body: str) -> HitlRequest:
    return finish(pending_task(project), work(body=body))


def fresh(project: Project) -> Project:
    return Project.objects.get(pk=project.pk)


def rewind(project, owner) -> None:
    rewind_project(project_id=project.pk, step=STEP, actor=Actor.of_user(owner))
    advance_project(project.pk)


def write_over(request: HitlRequest, author: User) -> HitlRequest:
    """The next version by a person, and the request that takes the place of the first."""
    artifact = Artifact.objects.get(step=STEP)
    add_version(actor=Actor.of_user(author), artifact_id=artifact.pk, content=OWN)
    advance_project(request.project_id)
    return HitlRequest.objects.pending().get(project=request.project_id)


@pytest.fixture
def compared(client_of, approver):
    """The number of the version compared with, by every channel; they must agree."""

    def number(request: HitlRequest) -> int | None:
        row = client_of(approver).get(f"/api/v1/hitl/requests/{request.pk}/").json()
        rest = row["diff"] and row["diff"]["from"]
        against = present_request(request, approver).contents[0].last_decided
        out = StringIO()
        call_command("hitl", "show", str(request.pk), "--user=approver", stdout=out)
        line = f"Changed since version {rest}:"
        assert (against and against.number) == rest
        assert (line in out.getvalue()) == (rest is not None)
        return rest

    return number


def test_the_first_has_nothing_to_be_compared_with(project, compared):
    assert compared(asked(project)) is None


def test_what_was_sent_back_is_what_the_next_is_compared_with(project, approver, compared):
    settle(asked(project), approver, "request_changes", comment="Risks?")

    assert compared(ask_again(project, "With risks.")) == 1


def test_an_amendment_counts_as_the_persons_version(project, owner, approver, compared):
    settle(asked(project), approver, "amend", content=OWN)
    rewind(project, owner)

    assert compared(ask_again(project, "Another plan.")) == 2


def test_an_amendment_where_there_was_nothing_counts_too(project, owner, approver, compared):
    settle(asked(project), approver, "request_changes", comment="Risks?")
    settle(escalate(fresh(project)), approver, "amend", content=OWN)
    settle(HitlRequest.objects.pending().get(project=project), owner, "approve")
    rewind(project, owner)

    assert compared(ask_again(project, "Another plan.")) == 2


def test_what_was_superseded_decides_nothing(project, owner, compared):
    assert compared(write_over(asked(project), owner)) is None


def test_past_what_was_superseded_the_last_decision_counts(project, owner, approver, compared):
    settle(asked(project), approver, "request_changes", comment="Risks?")
    newer = write_over(ask_again(project, "With risks."), owner)

    assert (newer.subject["outputs"][0]["version"], compared(newer)) == (3, 1)


def test_what_was_accepted_without_a_person_counts(make_project, owner, compared):
    project = make_project(oversight_level="low")
    first = asked(project, "escalation_of_work")
    artifact = Artifact.objects.get(step=STEP)
    artifact.versions.update(status="accepted")
    HitlRequest.objects.filter(pk=first.pk).update(status="cancelled", resolved_at=first.created_at)
    add_version(actor=Actor.of_user(owner), artifact_id=artifact.pk, content=OWN)
    advance_project(project.pk)

    assert compared(HitlRequest.objects.pending().get(project=project)) == 1


def test_the_command_gives_the_difference_as_json(project, approver, compared):
    settle(asked(project), approver, "request_changes", comment="Risks?")
    out = StringIO()

    newer = ask_again(project, "With risks.")
    call_command("hitl", "show", str(newer.pk), "--json", "--user=approver", stdout=out)

    assert "+With risks." in json.loads(out.getvalue())["documents"][0]["diff"]
