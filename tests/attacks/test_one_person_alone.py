"""One person tries to carry alone what the rules ask two for, as they were found to."""

import pytest

from agents.models import Task
from audit.actors import Actor
from audit.models import Event
from core.errors import Forbidden, Unprocessable
from hitl.actions import amend
from hitl.models import Loosening, Policy
from hitl.services import change_policy, loosenings
from projects.models import InstallationFloor, Project
from projects.services import create_project, remove_member, update_project
from tests.scenes import (
    OWN,
    agent_returns,
    asked,
    decide_as,
    fresh,
    join,
    pending_request,
    set_policy,
    upload,
    work,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def second_owner(project):
    return join(project, "second", "owner")


def policy_path(project):
    return f"/api/v1/projects/{project.pk}/policy/"


def alone(project, owner, **changes):
    return change_policy(project_id=project.pk, actor=Actor.of_user(owner), **changes)


# An amendment.


def test_an_amendment_asks_another_person_about_the_amended_text(project, owner, approver):
    request = asked(project)

    decide_as(approver, request, "amend", content=OWN)

    newer = pending_request(project)
    assert fresh(request).status == "amended"
    assert (newer.previous, newer.required_approvals, newer.approvals) == (request, 1, 0)
    assert newer.subject["outputs"][0]["version"] == 2
    assert newer.barred_authors == [approver.pk]
    assert Task.objects.get(pk=request.task_id).status == "waiting_for_hitl"
    with pytest.raises(Forbidden) as refusal:
        decide_as(approver, newer)
    assert refusal.value.code == "self_approval"
    decide_as(owner, newer)
    assert Task.objects.get(pk=request.task_id).status == "completed"


def test_without_the_check_an_amendment_goes_on_at_once(project, approver, monkeypatch):
    monkeypatch.setattr(amend, "needs_another_person", lambda request: False)
    request = asked(project)

    decide_as(approver, request, "amend", content=OWN)

    assert Task.objects.get(pk=request.task_id).status == "completed"


def test_an_amendment_against_the_rules_says_which(project, owner):
    request = asked(project)

    decision = decide_as(owner, request, "amend", content=OWN, break_glass=True)

    event = Event.objects.get(event_type="hitl_break_glass_used")
    assert decision.is_break_glass
    assert event.data["bypassed"] == ["self_approval"]


# A barred owner switches the rule off.


def switch_off_and_approve(project, owner):
    asked(project)
    upload(owner, project)
    alone(project, owner, prevent_self_approval=False)
    upload(owner, project, OWN | {"body": "Once more."})
    return decide_as(owner, pending_request(project))


def test_a_single_owner_who_loosens_leaves_a_mark_on_every_decision(project, owner, client_of):
    decision = switch_off_and_approve(project, owner)

    mark = Loosening.objects.get()
    event = Event.objects.get(event_type="hitl_policy_loosened")
    assert (mark.status, event.data["changed"]) == ("unconfirmed", ["prevent_self_approval"])
    assert [loosening["id"] for loosening in decision.loosenings] == [str(mark.pk)]
    recorded = Event.objects.get(event_type="hitl_decision_recorded")
    assert recorded.data["loosenings"] == decision.loosenings
    api = client_of(owner)
    row = api.get(f"/api/v1/hitl/requests/{decision.request_id}/").json()
    assert row["policy_loosened"][0]["proposed_by_username"] == "owner"
    assert row["decisions"][0]["loosenings"] == decision.loosenings
    listed = api.get("/api/v1/hitl/requests/").json()["results"]
    assert all(item["policy_loosened_at"] for item in listed)


def test_with_a_second_owner_it_waits_for_their_word(project, owner, second_owner, client_of):
    answer = client_of(owner).patch(policy_path(project), {"prevent_self_approval": False})

    shown = answer.json()
    assert (answer.status_code, shown["prevent_self_approval"]) == (202, True)
    proposal = f"{policy_path(project)}proposals/{shown['awaits']['id']}/"
    refusal = client_of(owner).post(f"{proposal}confirm/")
    assert (refusal.status_code, refusal.json()["code"]) == (403, "own_proposal")
    assert client_of(second_owner).post(f"{proposal}confirm/").status_code == 200
    assert not Policy.objects.get().prevent_self_approval
    again = client_of(second_owner).post(f"{proposal}confirm/")
    assert (again.status_code, again.json()["code"]) == (409, "already_decided")
    assert fresh(project).policy_loosened_at is None
    assert not switch_off_mark(project)


def switch_off_mark(project):
    return Event.objects.filter(project=project.pk, event_type="hitl_policy_loosened").exists()


@pytest.mark.parametrize("person", ["approver", "viewer", "staff"])
def test_only_another_owner_gives_the_second_word(
    project, owner, second_owner, request, client_of, person
):
    change = {"prevent_self_approval": False}
    proposal = client_of(owner).patch(policy_path(project), change).json()["awaits"]["id"]
    user = request.getfixturevalue(person)

    answer = client_of(user).post(f"{policy_path(project)}proposals/{proposal}/confirm/")

    assert answer.status_code == 403
    assert Loosening.objects.get().status == "proposed"


def test_without_the_check_a_second_owner_is_not_asked(project, owner, second_owner, monkeypatch):
    monkeypatch.setattr(loosenings, "loosen", loosenings.mark)
    monkeypatch.setattr("hitl.services.policies.loosen", loosenings.mark)

    assert switch_off_and_approve(project, owner).action == "approve"


def test_a_declined_proposal_changes_nothing(project, owner, second_owner, client_of):
    change = {"prevent_self_approval": False}
    proposal = client_of(owner).patch(policy_path(project), change).json()["awaits"]["id"]

    answer = client_of(second_owner).post(f"{policy_path(project)}proposals/{proposal}/decline/")

    assert answer.json()["status"] == "declined"
    assert client_of(owner).get(policy_path(project)).json()["prevent_self_approval"]


def test_what_is_stricter_holds_at_once_and_what_is_looser_waits(project, owner, second_owner):
    policy = alone(project, owner, due_after=60, prevent_self_approval=False)

    saved = Policy.objects.get()
    assert (saved.due_after, saved.prevent_self_approval) == (60, True)
    assert set(policy.awaits.changes) == {"prevent_self_approval"}


def test_who_removes_the_other_owner_first_leaves_a_mark(project, owner, second_owner):
    actor = Actor.of_user(owner)

    remove_member(project_id=project.pk, actor=actor, user_id=second_owner.pk)

    assert list(Loosening.objects.get().changes) == ["owners"]
    assert decide_as(owner, asked(fresh(project))).loosenings


# Oversight in mid-run.


def test_less_oversight_in_mid_run_waits_for_another_owner(project, owner, second_owner, client_of):
    asked(project)
    path = f"/api/v1/projects/{project.pk}/"

    answer = client_of(owner).patch(path, {"oversight_level": "low", "name": "Other"})

    shown = answer.json()
    assert (answer.status_code, shown["oversight_level"], shown["name"]) == (202, "high", "Other")
    proposal = f"{policy_path(project)}proposals/{shown['awaits']}/confirm/"
    assert client_of(second_owner).post(proposal).status_code == 200
    assert fresh(project).oversight_level == "low"


def test_less_oversight_by_a_single_owner_leaves_the_mark(project, owner):
    request = asked(project)

    update_project(project_id=project.pk, actor=Actor.of_user(owner), oversight_level="low")

    assert fresh(project).oversight_level == "low"
    assert switch_off_mark(project)
    assert fresh(request).status == "pending"
    assert decide_as(owner, request).loosenings


# The installation's floor.


def test_no_project_goes_below_the_floor(project, owner, client_of):
    approvals = {"plan_approval": 2, "result_approval": 2}
    InstallationFloor.objects.create(
        oversight_level="medium", required_approvals=approvals, prevent_self_approval=True
    )
    api = client_of(owner)
    tries = [
        (api.patch, policy_path(project), {"required_approvals": 1}, "required_approvals"),
        (api.patch, policy_path(project), {"prevent_self_approval": False}, None),
        (api.patch, f"/api/v1/projects/{project.pk}/", {"oversight_level": "low"}, None),
        (
            api.post,
            "/api/v1/projects/",
            {"name": "A", "brief": "B", "oversight_level": "low"},
            None,
        ),
    ]
    for send, path, body, field in tries:
        answer = send(path, body, format="json")
        assert (answer.status_code, answer.json()["code"]) == (422, "below_floor"), body
        assert answer.json()["errors"][0]["field"] == (field or list(body)[-1])


def test_a_project_from_before_is_run_as_the_floor_says(make_project, owner):
    project = make_project(oversight_level="low")
    set_policy(project, prevent_self_approval=False)
    InstallationFloor.objects.create(
        oversight_level="high",
        required_approvals={"plan_approval": 2},
        prevent_self_approval=True,
    )

    request = agent_returns(project, work())

    assert (request.kind, request.required_approvals) == ("plan_approval", 2)
    assert request.prevents_self_approval


def test_the_settings_are_a_floor_too(owner, settings):
    settings.POLICY_FLOOR = settings.POLICY_FLOOR | {"oversight_level": "high"}
    with pytest.raises(Unprocessable):
        create_project(actor=Actor.of_user(owner), name="A", brief="B", oversight_level="medium")
    assert not Project.objects.exists()


# More approvals than people.


def test_more_approvals_than_people_are_refused_with_who_is_missing(project, owner, client_of):
    answer = client_of(owner).patch(policy_path(project), {"required_approvals": 3})

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "not_enough_deciders")
    assert (problem["missing"], sorted(problem["deciders"])) == (1, ["approver", "owner"])


def test_roles_and_authors_count(project, owner, approver, client_of):
    join(project, "third")
    api = client_of(owner)
    roles = {"required_approvals": 3, "roles_by_kind": {"plan_approval": ["approver"]}}
    assert api.patch(policy_path(project), roles, format="json").json()["missing"] == 1
    asked(project)
    upload(approver, project)
    answer = api.patch(policy_path(project), {"required_approvals": 3})
    assert (answer.json()["code"], answer.json()["missing"]) == ("not_enough_deciders", 1)
    assert "approver" in answer.json()["detail"]


def test_a_request_says_how_many_people_are_missing(project, owner, client_of):
    InstallationFloor.objects.create(required_approvals={"plan_approval": 3})

    row = client_of(owner).get(f"/api/v1/hitl/requests/{asked(project).pk}/").json()

    assert row["missing_deciders"] == 1
