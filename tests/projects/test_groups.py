"""Groups as members: whoever is in the group is in the project, as long as they are in it."""

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import ProtectedError
from django.test import Client
from django.urls import reverse

from audit.actors import Actor
from audit.models import Event
from audit.rows import verify_rows
from core.errors import Conflict, Forbidden, InvalidInput
from projects import groups
from projects.groups import add_group, bring_groups_in_line, remove_group
from projects.services import add_member, remove_member
from tests.fixtures import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(db):
    return Group.objects.create(name="Team")


@pytest.fixture
def add(project, owner):
    def add(group, role="approver", by=owner):
        return add_group(
            project_id=project.pk, actor=Actor.of_user(by), group=group.name, role=role
        )

    return add


@pytest.fixture
def committed(django_capture_on_commit_callbacks):
    """What follows from a change of a group follows after its commit."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def roles(project):
    return dict(project.memberships.values_list("user__username", "role"))


def test_whoever_comes_and_goes_is_a_member_meanwhile(project, add, team, outsider, committed):
    add(team)
    assert "outsider" not in roles(project)
    with committed():
        outsider.groups.add(team)
    assert roles(project)["outsider"] == "approver"
    with committed():
        team.user_set.remove(outsider)
    assert "outsider" not in roles(project)
    kinds = Event.objects.filter(project=project.pk, actor="system:groups")
    assert [*kinds.order_by("sequence").values_list("event_type", flat=True)] == [
        "member_added",
        "member_removed",
    ]
    assert verify_rows(project.pk).problems == []


def test_removing_the_group_removes_who_was_a_member_by_it(
    project, add, team, outsider, viewer, owner
):
    outsider.groups.add(team)
    viewer.groups.add(team)
    add(team)
    assert (roles(project)["outsider"], roles(project)["viewer"]) == ("approver", "viewer")
    remove_group(project_id=project.pk, actor=Actor.of_user(owner), group_id=team.pk)
    assert "outsider" not in roles(project)
    assert roles(project)["viewer"] == "viewer"
    assert verify_rows(project.pk).problems == []


def test_the_higher_role_of_several_groups_counts(project, add, team, outsider, committed):
    readers = Group.objects.create(name="Readers")
    outsider.groups.add(team, readers)
    add(readers, "viewer")
    assert roles(project)["outsider"] == "viewer"
    add(team, "approver")
    assert roles(project)["outsider"] == "approver"
    with committed():
        outsider.groups.remove(team)
    assert roles(project)["outsider"] == "viewer"
    with committed():
        outsider.groups.add(team)
    assert roles(project)["outsider"] == "approver"
    assert bring_groups_in_line() == 0


def test_who_is_named_is_a_member_by_themselves(project, add, team, outsider, owner, committed):
    outsider.groups.add(team)
    add(team)
    actor = Actor.of_user(owner)
    with pytest.raises(Conflict) as refused:
        remove_member(project_id=project.pk, actor=actor, user_id=outsider.pk)
    assert refused.value.code == "member_by_group"
    add_member(project_id=project.pk, actor=actor, user=outsider, role="viewer")
    with committed():
        outsider.groups.clear()
    assert roles(project)["outsider"] == "viewer"


def test_a_lost_change_is_made_up_for(project, add, team, monkeypatch):
    add(team)
    monkeypatch.setattr(groups, "_looked_at", float("-inf"))
    make_user("late").groups.add(team)
    assert groups.look_for_groups_out_of_line() == 1
    assert roles(project)["late"] == "approver"
    assert bring_groups_in_line() == 0


def test_a_group_owns_nothing_and_stays_while_it_is_a_member(add, team, viewer):
    with pytest.raises(InvalidInput):
        add(team, "owner")
    with pytest.raises(Forbidden):
        add(team, by=viewer)
    add(team)
    with pytest.raises(ProtectedError):
        team.delete()


@pytest.mark.administrator
def test_a_group_past_the_product_is_found(project, team):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO project_groups (project_id, group_id, role, created_at)"
            " VALUES (%s, %s, 'approver', now())",
            [project.pk, team.pk],
        )
    assert "no event added this group" in str(verify_rows(project.pk).problems)


def test_over_rest_and_on_the_page(client_of, project, team, owner, viewer, outsider):
    path = reverse("project-groups", args=[project.pk])
    outsider.groups.add(team)
    assert client_of(viewer).post(path, {"group": "None", "role": "viewer"}).status_code == 403
    refused = client_of(owner).post(path, {"group": "None", "role": "viewer"})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "group")
    assert client_of(owner).post(path, {"group": "Team", "role": "viewer"}).status_code == 201
    assert client_of(viewer).get(path).json()["results"][0]["name"] == "Team"
    page = Client()
    page.force_login(owner)
    members = reverse("admin:project_members", args=[project.pk])
    assert "by the group Team" in page.get(members).text
    page.post(members, {"verb": "group", "group": "Team", "role": "approver"})
    assert roles(project)["outsider"] == "approver"
    page.post(members, {"verb": "remove_group", "group": team.pk})
    assert "outsider" not in roles(project)
    one = reverse("project-group", args=[project.pk, team.pk])
    assert client_of(owner).delete(one).status_code == 404
