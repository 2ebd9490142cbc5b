import pytest

from audit.models import Event
from hitl.models import Policy
from tests.scenes import asked, fresh, set_policy

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

DEFAULTS = {
    "prevent_self_approval": True,
    "answers_count_as_content": False,
    "required_approvals": 1,
    "roles_by_kind": {},
    "roles_by_phase": {},
    "reauthenticate": [],
    "ask_before_tools": [],
    "remind_after": None,
    "due_after": None,
    "expire_after": None,
    "on_timeout": "hold",
    "floor": {"oversight_level": "low", "required_approvals": {}, "prevent_self_approval": False},
    "awaits": None,
    "loosened_at": None,
    "updated_at": None,
}
BAD = [
    ({"required_approvals": 0}, "required_approvals"),
    ({"required_approvals": 51}, "required_approvals"),
    ({"required_approvals": True}, "required_approvals"),
    ({"required_approvals": "2"}, "required_approvals"),
    ({"prevent_self_approval": "no"}, "prevent_self_approval"),
    ({"on_timeout": "approve"}, "on_timeout"),
    ({"expire_after": 0}, "expire_after"),
    ({"expire_after": -5}, "expire_after"),
    ({"expire_after": 2**31}, "expire_after"),
    ({"expire_after": 400_000_000}, "expire_after"),
    ({"remind_after": 20, "due_after": 10}, "due_after"),
    ({"remind_after": 20, "expire_after": 10}, "expire_after"),
    ({"roles_by_kind": {"no_such_kind": ["owner"]}}, "roles_by_kind.no_such_kind"),
    ({"roles_by_kind": {"clarification": []}}, "roles_by_kind.clarification"),
    ({"roles_by_kind": {"clarification": ["viewer"]}}, "roles_by_kind.clarification"),
    ({"roles_by_kind": {"clarification": ["king"]}}, "roles_by_kind.clarification.0"),
    ({"roles_by_kind": ["owner"]}, "roles_by_kind"),
    ({"roles_by_phase": {"lunch": ["owner"]}}, "roles_by_phase.lunch"),
    ({"quorum": 2}, "quorum"),
]


def policy_of(project) -> str:
    return f"/api/v1/projects/{project.pk}/policy/"


def test_without_a_word_the_defaults_of_the_settings_hold(project, viewer, client_of):
    answer = client_of(viewer).get(policy_of(project))

    assert answer.json() == DEFAULTS | {"project": str(project.pk)}
    assert not Policy.objects.exists()


def test_the_defaults_can_be_set_for_an_installation(project, viewer, client_of, settings):
    settings.HITL_POLICY = settings.HITL_POLICY | {"required_approvals": 2, "due_after": 60}

    policy = client_of(viewer).get(policy_of(project)).json()

    assert (policy["required_approvals"], policy["due_after"]) == (2, 60)
    assert asked(project).required_approvals == 2


def test_an_owner_changes_only_what_is_sent_and_it_is_recorded(project, owner, client_of):
    api = client_of(owner)
    api.patch(policy_of(project), {"remind_after": 60})

    answer = api.patch(policy_of(project), {"roles_by_phase": {"launch": ["owner"]}})

    event = Event.objects.filter(event_type="hitl_policy_changed").last()
    assert answer.status_code == 200
    assert answer.json()["remind_after"] == 60
    assert answer.json()["updated_at"] is not None
    assert event.actor == f"user:{owner.pk}"
    assert event.data["fields"] == {
        "roles_by_phase": {"old": {}, "new": {"launch": ["owner"]}},
    }


def test_the_same_again_changes_and_records_nothing(project, owner, client_of):
    api = client_of(owner)
    for _ in range(2):
        api.patch(policy_of(project), {"required_approvals": 2})

    assert Event.objects.filter(event_type="hitl_policy_changed").count() == 1


@pytest.mark.parametrize(
    ("name", "status"), [("approver", 403), ("viewer", 403), ("outsider", 404)]
)
def test_only_an_owner_changes_it(project, request, client_of, name, status):
    api = client_of(request.getfixturevalue(name))

    answer = api.patch(policy_of(project), {"required_approvals": 2})

    assert answer.status_code == status
    assert not Policy.objects.exists()


def test_bad_input_names_the_field(project, owner, client_of, subtests):
    api = client_of(owner)
    for change, field in BAD:
        with subtests.test(change=change):
            answer = api.patch(policy_of(project), change)

            assert answer.status_code == 400
            assert [error["field"] for error in answer.json()["errors"]] == [field]
            assert not Policy.objects.exists()


def test_an_open_request_keeps_the_rules_it_was_opened_with(project, owner, client_of):
    request = asked(project)

    roles = {"result_approval": ["approver"], "plan_approval": ["owner"]}
    set_policy(project, prevent_self_approval=False, roles_by_kind=roles)

    row = client_of(owner).get(f"/api/v1/hitl/requests/{request.pk}/").json()
    assert (row["required_approvals"], row["approvals"]) == (1, 0)
    assert fresh(request).prevents_self_approval
    assert row["deciding_roles"] == ["approver", "owner"]


@pytest.mark.parametrize(
    ("kinds", "phases", "roles"),
    [
        ({}, {}, None),
        ({"plan_approval": ["owner"]}, {}, ["owner"]),
        ({"result_approval": ["owner"]}, {}, None),
        ({}, {"discovery": ["approver"]}, ["approver"]),
        ({"plan_approval": ["owner", "approver"]}, {"discovery": ["approver"]}, ["approver"]),
        ({"plan_approval": ["owner"]}, {"discovery": ["approver"]}, ["owner"]),
    ],
)
def test_kind_and_phase_say_together_which_roles_decide(project, kinds, phases, roles):
    set_policy(project, roles_by_kind=kinds, roles_by_phase=phases)

    assert fresh(asked(project)).deciding_roles == roles
