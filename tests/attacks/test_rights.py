"""Staff who are no superusers reach for more than they have."""

import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from agents.models import EmergencyStop
from agents.stops import services
from core.errors import Forbidden
from tests.fixtures import allow, make_user
from tests.scenes import fresh, release, stop
from ui.web.admin.accounts import GroupAdmin, UserAdmin

pytestmark = pytest.mark.django_db


@pytest.fixture
def helper(db):
    """Staff with all that concerns users and groups."""
    helper = make_user("helper", is_staff=True)
    verbs = ("view", "add", "change", "delete")
    allow(helper, *(f"{verb}_{kind}" for verb in verbs for kind in ("user", "group")))
    return helper


def save_account(client, account, **fields):
    """The form of an account's page, with everything that it could hold."""
    form = {
        "username": account.username,
        "is_active": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
    }
    path = reverse("admin:auth_user_change", args=[account.pk])
    return client.post(path, {name: value for name, value in (form | fields).items() if value})


def raise_oneself(client, helper):
    return save_account(client, helper, first_name="Hel", is_superuser="on", user_permissions=["1"])


def test_staff_do_not_make_themselves_superuser(helper, client):
    client.force_login(helper)

    raise_oneself(client, helper)

    helper = fresh(helper)
    assert helper.first_name == "Hel"
    assert not helper.is_superuser
    assert not helper.user_permissions.filter(pk=1).exists()


def test_without_the_check_staff_are_superuser(helper, client, monkeypatch):
    monkeypatch.setattr(UserAdmin, "get_readonly_fields", lambda self, request, obj=None: ())
    client.force_login(helper)

    raise_oneself(client, helper)

    assert fresh(helper).is_superuser


def test_staff_change_no_superuser_and_no_password(helper, staff, owner, client):
    client.force_login(helper)
    new = {"password1": "a-new-password-7", "password2": "a-new-password-7"}
    new["usable_password"] = "true"

    for account in (staff, owner):
        path = reverse("admin:auth_user_password_change", args=[account.pk])
        assert client.post(path, new | {"set-password": "1"}).status_code == 403
        assert fresh(account).check_password(f"{account.username}-password")
    assert save_account(client, staff, is_active="").status_code == 403
    assert fresh(staff).is_active
    save_account(client, owner, username="approver2", is_active="")
    assert (fresh(owner).username, fresh(owner).is_active) == ("owner", False)


def test_staff_give_no_rights_to_their_own_group(helper, client, monkeypatch):
    group = Group.objects.create(name="helpers")
    helper.groups.add(group)
    client.force_login(helper)
    path = reverse("admin:auth_group_change", args=[group.pk])
    form = {"name": "helpers", "permissions": ["1"]}

    assert client.post(path, form).status_code == 403
    assert not group.permissions.exists()
    monkeypatch.setattr(GroupAdmin, "has_change_permission", lambda self, request, obj=None: True)
    client.post(path, form)
    assert group.permissions.exists()


def test_staff_neither_stop_everything_nor_lift_an_owners_stop(helper, staff, owner, project):
    with pytest.raises(Forbidden, match=r"agents\.stop_everything"):
        stop(helper)
    stop(owner, project_id=project.pk)
    with pytest.raises(Forbidden, match="only an owner"):
        release(staff, project_id=project.pk)
    assert EmergencyStop.objects.get().is_active


def test_without_the_level_staff_lift_an_owners_stop(staff, owner, project, monkeypatch):
    stop(owner, project_id=project.pk)
    monkeypatch.setattr(services, "_level_of", lambda *arguments: "project")

    assert not release(staff, project_id=project.pk).is_active
