import json

import pytest

from agents.models import Task
from agents.protocols import PermanentError
from agents.services import claim_task, fail_attempt
from context.models import Artifact
from hitl.models import HitlRequest
from orchestrator.engine.advance import advance_project
from tests.ui.web.conftest import logged_in, open_request

pytestmark = pytest.mark.django_db


@pytest.fixture
def escalation(running):
    """The agent failed for good before it had made anything."""
    advance_project(running.pk)
    task = Task.objects.get(project=running)
    claim = claim_task(task_id=task.pk, worker="test:1:1")
    fail_attempt(claim=claim, error=PermanentError("refused", "The <b>model</b> refuses."))
    advance_project(running.pk)
    return HitlRequest.objects.get(project=running)


def test_the_page_says_what_went_wrong_and_offers_to_do_it_by_hand(escalation, approver):
    url = f"/admin/hitl/hitlrequest/{escalation.pk}/change/"
    page = logged_in(approver).get(url).content.decode()
    assert "The &lt;b&gt;model&lt;/b&gt; refuses." in page
    assert 'value="amend"' in page
    assert 'value="approve"' not in page
    assert 'value="request_changes"' in page


def test_a_person_does_by_hand_what_the_agent_could_not(escalation, approver):
    content = {"summary": "By hand", "body": "The plan."}
    data = {
        "action": "amend",
        "subject_digest": escalation.subject_digest,
        "content": json.dumps(content),
    }
    url = f"/admin/hitl/hitlrequest/{escalation.pk}/decide/"
    assert logged_in(approver).post(url, data).status_code == 302
    made = Artifact.objects.get(artifact_type="agent_output")
    assert made.versions.get().author == approver
    assert made.accepted_version is None
    newer = HitlRequest.objects.pending().get()
    assert (newer.previous, newer.barred_authors) == (escalation, [approver.pk])


def test_it_cannot_be_approved_in_bulk_as_there_is_nothing_to_approve(escalation, approver):
    data = {
        "action": "approve",
        "_selected_action": [str(escalation.pk)],
        f"digest-{escalation.pk}": escalation.subject_digest,
    }
    client = logged_in(approver)
    open_request(client, escalation)
    page = client.post("/admin/hitl/hitlrequest/", data, follow=True)
    assert "(action_not_allowed)" in page.content.decode()
