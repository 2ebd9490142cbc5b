from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts import logins
from accounts.events import LOGIN_FAILED, LOGINS_FAILED, USER_CREATED
from accounts.models import PersonalToken
from accounts.noted import note_what_was_there
from audit.actors import Actor
from audit.installation import INSTALLATION, record_installation
from audit.models import Event
from audit.rows import verify_rows
from audit.verification import verify_stream
from core.shared_counter import SharedCounter
from tests.fixtures import note_people

pytestmark = pytest.mark.django_db

LOG = "/api/v1/audit/installation/"


def events(*types: str) -> list[Event]:
    rows = Event.objects.filter(project=INSTALLATION).order_by("sequence")
    return [*(rows.filter(event_type__in=types) if types else rows)]


def fail(name: str = "owner", times: int = 1, address: str = "192.0.2.1") -> None:
    for _ in range(times):
        body = {"username": name, "password": "wrong"}
        Client(REMOTE_ADDR=address).post("/api/v1/auth/token/", body, "application/json")


def test_only_superusers_read_it(owner, staff, client_of, client):
    client.force_login(owner)

    answer = client_of(owner).get(LOG)
    assert (answer.status_code, answer.json()["code"]) == (403, "superuser_required")
    [event] = client_of(staff).get(LOG, {"event_type": "user_logged_in"}).json()["results"]
    assert (event["actor"], event["sequence"]) == (f"user:{owner.pk}", 1)
    note_people()
    project = {"project": str(INSTALLATION)}
    answer = client_of(staff).get("/api/v1/audit/verify/", project).json()
    assert (answer["valid"], answer["first_row_problem"]) == (True, None)
    assert client_of(owner).get("/api/v1/audit/verify/", project).status_code == 404
    assert client_of(staff).get("/api/v1/audit/events/", project).json()["results"] == []
    client.force_login(staff)
    assert "user_logged_in" in client.get("/admin/audit/event/").content.decode()


def test_it_is_verified_with_the_others(owner, client):
    client.force_login(owner)
    note_people()
    out = StringIO()

    call_command("verify_audit", stdout=out)

    assert "The installation: 2 events" in out.getvalue()


def test_a_login_and_a_failed_one_tell_who_and_from_where(owner, client):
    client.post("/api/login/login/", {"username": "owner", "password": "owner-password"})
    fail("owner")
    fail("a password by mistake")

    login, known, unknown = events("user_logged_in", "login_failed")
    assert login.data["address"] == "127.0.0.1"
    assert known.data == {"user": owner.pk, "username": "owner", "address": "192.0.2.1"}
    assert unknown.data == {"address": "192.0.2.1"}
    assert known.actor == "system:login"


def test_failed_logins_are_bounded_and_the_rest_is_counted(settings, owner, monkeypatch):
    settings.LOGIN_TRIES = 3
    monkeypatch.setattr(logins, "RECORDED_FAILURES", 2)
    monkeypatch.setattr(logins, "_counted_at", -1e9)
    # What other tests have counted while they had no Redis is not ours.
    monkeypatch.setattr(logins, "counted_failures", SharedCounter("failed-logins"))
    logins.recorded_failures.refill("")
    logins.counted_failures.take()

    fail(times=5)

    assert len(events(LOGIN_FAILED)) == 2
    # One beyond the bound, two that the limit of logins refused.
    assert logins.record_counted_logins() == 3
    assert [event.data for event in events(LOGINS_FAILED)] == [{"count": 3}]
    assert logins.record_counted_logins() == 0
    logins.recorded_failures.refill("")


def test_what_is_done_to_users_is_recorded_with_who_did_it(staff, client):
    client.force_login(staff)
    new = {"username": "grace", "password1": "a-long-passphrase", "password2": "a-long-passphrase"}
    client.post("/admin/auth/user/add/", new | {"usable_password": "true"})
    grace = User.objects.get(username="grace")
    group = Group.objects.create(name="Operators")
    form = {"username": "grace", "is_staff": "on", "groups": group.pk}
    form |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    client.post(f"/admin/auth/user/{grace.pk}/change/", form)

    created, changed, joined = events("user_created", "user_changed", "rights_changed")
    assert {event.actor for event in (created, changed, joined)} == {f"user:{staff.pk}"}
    assert created.data["username"] == "grace"
    assert changed.data["fields"] == {
        "is_staff": {"old": False, "new": True},
        "is_active": {"old": True, "new": False},
    }
    assert (joined.data["name"], joined.data["added"]) == ("grace", ["Operators"])


def test_what_is_done_without_a_page_is_recorded_too(owner):
    owner.set_password("another")
    owner.save()
    owner.user_permissions.add(Permission.objects.first())
    owner.user_permissions.clear()
    group = Group.objects.create(name="Operators")
    group.user_set.add(owner)
    group.delete()
    User.objects.create_user("leaves").delete()

    found = [event.event_type for event in events()]
    assert found == [
        *("password_changed", "rights_changed", "rights_changed", "group_changed"),
        *("rights_changed", "group_changed", "user_created", "user_deleted"),
    ]
    assert {event.actor for event in events()} == {"system:terminal"}
    assert verify_stream(INSTALLATION).valid


def test_what_leaves_enters_or_goes_as_a_whole_is_recorded(make_project, owner, client_of):
    project = make_project()
    path, api = f"/api/v1/projects/{project.pk}/", client_of(owner)
    archive = b"".join(api.get(f"{path}export/").streaming_content)
    file = SimpleUploadedFile("export.zip", archive, "application/zip")
    imported = api.post("/api/v1/projects/import/", {"file": file}, format="multipart").json()
    api.post(f"{path}erase/", {"reason": "Asked for."})

    export, import_, erasure = events("export_made", "import_made", "erasure_made")
    assert {event.actor for event in (export, import_, erasure)} == {f"user:{owner.pk}"}
    assert export.data["project"] == erasure.data["project"] == str(project.pk)
    assert import_.data["project"] == imported["id"]
    assert project.name not in str([event.data for event in events()])


def test_a_restored_backup_is_recorded(project):
    call_command("begin_epoch", stdout=StringIO())

    [event] = events("backup_restored")
    assert (event.actor, event.data["streams"]) == ("system:terminal", 1)


@pytest.mark.parametrize("older_release", [False, True], ids=["no log", "a log that said less"])
def test_what_was_there_before_is_noted_once(owner, viewer, older_release):
    group = Group.objects.bulk_create([Group(name="Operators")])[0]
    User.groups.through.objects.create(user=owner, group=group)
    PersonalToken.objects.create_for(
        owner, "key", name="Old", scopes=["read"], expires_at=timezone.now() + timedelta(days=1)
    )
    if older_release:
        facts = {"username": "owner", "is_staff": False, "is_superuser": False, "is_active": True}
        record_installation(USER_CREATED, Actor.of_system("terminal"), user=owner.pk, **facts)

    note_what_was_there()
    count = len(events())
    note_what_was_there()

    assert verify_rows(INSTALLATION).problems == []
    assert len(events()) == count
    assert len(events("token_noted")) == 1
