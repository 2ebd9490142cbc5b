import pytest

from audit.models import Event
from hitl.models import Loosening
from hitl.policy import policy_of
from projects.floor import installation_floor
from tests.scenes import agent_returns, join, work
from tests.ui.web.conftest import logged_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

FORM = {
    "required_approvals": "1",
    "reauthenticate": ["result_approval"],
    "prevent_self_approval": "on",
    "remind_after": "30 min",
    "due_after": "4 h",
    "expire_after": "2 days",
    "on_timeout": "escalate",
    "roles_by_kind.plan_approval": "owner",
}


def url_of(project):
    return f"/admin/projects/project/{project.pk}/policy/"


def test_an_owner_writes_the_policy_and_later_requests_follow_it(running, owner):
    logged_in(owner).post(url_of(running), FORM, follow=True)

    policy = policy_of(running.pk)
    assert (policy.remind_after, policy.due_after, policy.expire_after) == (1800, 14400, 172800)
    assert policy.roles_by_kind == {"plan_approval": ["owner"]}
    request = agent_returns(running, work())
    assert (request.required_approvals, request.deciding_roles) == (1, ["owner"])
    assert policy.reauthenticate == ["result_approval"]
    assert Event.objects.filter(event_type="hitl_policy_changed").count() == 1


def test_the_form_shows_what_holds_in_the_words_it_takes(running, owner, viewer):
    logged_in(owner).post(url_of(running), FORM)
    page = logged_in(viewer).get(url_of(running)).content.decode()
    for written in ('value="30 min"', 'value="4 h"', 'value="2 days"'):
        assert written in page
    assert '<option value="owner" selected>owners only' in page
    assert '<button class="primary" type="submit">' not in page


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"due_after": "soon"}, "Write a number with s, min, h or days"),
        ({"due_after": "1 min"}, "Keep the order"),
        ({"required_approvals": "0"}, "greater than or equal to 1"),
        ({"on_timeout": "approve"}, "Select a valid choice"),
        ({"expire_after": "999999999 days"}, "Seconds from 1 to"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(running, owner, wrong, says):
    response = logged_in(owner).post(url_of(running), FORM | wrong)
    assert response.status_code == 400
    assert says in response.content.decode()
    assert policy_of(running.pk).updated_at is None


def test_only_owners_change_it_and_outsiders_find_nothing(running, approver, outsider):
    refused = logged_in(approver).post(url_of(running), FORM)
    assert refused.status_code == 403
    assert "needs the role owner" in refused.content.decode()
    assert logged_in(outsider).get(url_of(running)).status_code == 404
    assert logged_in(outsider).post(url_of(running), FORM).status_code == 404


def test_less_strict_rules_wait_for_another_owner_on_the_page(running, owner):
    second = join(running, "second", "owner")
    second.is_staff = True
    second.save()
    looser = FORM | {"prevent_self_approval": ""}

    page = logged_in(owner).post(url_of(running), looser, follow=True).content.decode()
    assert "Waits for another owner" in page
    proposal = Loosening.objects.get()
    assert policy_of(running.pk).prevent_self_approval
    confirm = f"{url_of(running)}{proposal.pk}/confirm/"
    logged_in(owner).post(confirm)
    assert policy_of(running.pk).prevent_self_approval
    logged_in(second).post(confirm)
    assert not policy_of(running.pk).prevent_self_approval


def test_superusers_set_the_installations_floor(running, owner, staff):
    form = {"oversight_level": "medium", "plan_approval": "2", "result_approval": "1"}
    form |= {"escalation": "1", "action_approval": "1"}
    path = "/admin/installation-floor/"
    assert logged_in(owner).post(path, form).status_code == 403

    assert logged_in(staff).post(path, form).status_code == 302

    floor = installation_floor()
    assert (floor.oversight_level, floor.required_approvals) == ("medium", {"plan_approval": 2})
    page = logged_in(owner).post(url_of(running), FORM)
    assert page.status_code == 422
    assert "asks for at least 2 approvals" in page.content.decode()
