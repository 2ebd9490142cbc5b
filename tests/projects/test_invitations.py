"""Members come by invitation: a link in a mail that works once, on the page and over REST."""

import re
import smtplib
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.actors import Actor
from audit.models import Event
from audit.rows import verify_rows
from core.errors import Conflict, Forbidden, Gone, InvalidInput
from projects import invitations
from projects.invitations import (
    _lock_open,
    accept_as_new_user,
    accept_invitation,
    invite_member,
)
from projects.models import Invitation, Membership
from projects.services import add_member, remove_member

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_project")]

PASSWORD = "a long enough phrase"


@pytest.fixture
def invite(owner, project, django_capture_on_commit_callbacks):
    """Invites, and returns the key of the link in the mail."""

    def invite(email="grace@example.org", role="approver", by=owner):
        with django_capture_on_commit_callbacks(execute=True):
            invite_member(
                project_id=project.pk,
                actor=Actor.of_user(by),
                email=email,
                role=role,
                link_to="https://paraph.example/invitation/?key={}".format,
            )
        return key_in(mail.outbox[-1])

    return invite


def key_in(message):
    return re.search(r"\?key=(\S+)", message.body)[1]


def role_of(user, project):
    return Membership.objects.filter(project=project, user=user).values_list("role", flat=True)


def test_the_link_of_the_mail_makes_an_account_and_a_member_once(invite, project, owner):
    key = invite()
    assert mail.outbox[-1].to == ["grace@example.org"]
    accept_as_new_user(key=key, username="grace", password=PASSWORD)
    grace = User.objects.get(username="grace")
    assert (grace.email, grace.is_staff) == ("grace@example.org", False)
    assert grace.check_password(PASSWORD)
    assert [*role_of(grace, project)] == ["approver"]
    with pytest.raises(Gone):
        accept_as_new_user(key=key, username="grace2", password=PASSWORD)
    assert not User.objects.filter(username="grace2").exists()
    added = Event.objects.filter(event_type="member_added").latest("sequence")
    assert added.actor == f"user:{grace.pk}"
    assert added.data["invited_by"] == owner.pk
    assert verify_rows(project.pk).problems == []


def test_only_the_hash_of_a_link_is_kept(invite):
    key = invite()
    row = Invitation.objects.get()
    assert key not in str(vars(row))
    assert row.sent_at is not None
    assert not Event.objects.filter(data__icontains="grace@example.org").exists()


def test_whoever_has_an_account_joins_with_it_and_keeps_a_higher_role(invite, outsider, owner):
    member = accept_invitation(key=invite(), user=outsider)
    assert member.role == "approver"
    assert accept_invitation(key=invite(), user=owner).role == "owner"


@pytest.mark.parametrize("end", ["late", "withdrawn", "again", "no owner", "disabled"])
def test_a_link_ends(invite, outsider, owner, approver, project, end):
    add_member(project_id=project.pk, actor=Actor.of_user(owner), user=approver, role="owner")
    key = invite(by=approver)
    row = Invitation.objects.filter(pk=Invitation.objects.get().pk)
    if end == "late":
        row.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif end == "withdrawn":
        invitations.withdraw_invitation(
            project_id=project.pk, actor=Actor.of_user(owner), invitation_id=row.get().pk
        )
    elif end == "again":
        invite(by=approver)
    elif end == "no owner":
        remove_member(project_id=project.pk, actor=Actor.of_user(owner), user_id=approver.pk)
    else:
        User.objects.filter(pk=approver.pk).update(is_active=False)
    with pytest.raises(Gone):
        accept_invitation(key=key, user=outsider)
    assert not role_of(outsider, project).exists()


@pytest.mark.parametrize("who", ["viewer", "approver"])
def test_only_an_owner_invites(request, project, who):
    with pytest.raises(Forbidden):
        invite_member(
            project_id=project.pk,
            actor=Actor.of_user(request.getfixturevalue(who)),
            email="grace@example.org",
            role="viewer",
            link_to=str,
        )


def test_a_project_has_no_more_than_so_many_open_invitations(invite, monkeypatch):
    monkeypatch.setattr(invitations, "MOST_OPEN", 2)
    invite("a@example.org")
    invite("b@example.org")
    with pytest.raises(Conflict):
        invite("c@example.org")
    invite("b@example.org")


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("username", {"username": "OWNER"}),
        ("username", {"username": "grасe"}),
        ("password", {"password": "short"}),
    ],
)
def test_names_that_confuse_and_weak_passwords_are_refused(invite, owner, field, values):
    with pytest.raises(InvalidInput) as caught:
        accept_as_new_user(key=invite(), **({"username": "grace", "password": PASSWORD} | values))
    assert caught.value.errors[0]["field"] == field


def test_a_name_that_somebody_took_since_it_was_checked_is_refused(invite, monkeypatch):
    key = invite()

    def lock_open(*arguments):
        User.objects.create_user("grace")
        return _lock_open(*arguments)

    monkeypatch.setattr("projects.invitations._lock_open", lock_open)
    with pytest.raises(InvalidInput) as caught:
        accept_as_new_user(key=key, username="grace", password=PASSWORD)
    monkeypatch.undo()

    assert caught.value.errors[0]["field"] == "username"
    assert accept_as_new_user(key=key, username="grace2", password=PASSWORD).role == "approver"


def test_an_installation_may_leave_making_accounts_to_operators(invite, settings):
    settings.INVITATIONS_MAKE_ACCOUNTS = False
    with pytest.raises(Forbidden):
        accept_as_new_user(key=invite(), username="grace", password=PASSWORD)


def test_a_mail_that_no_server_takes_is_said(invite, project, owner, monkeypatch):
    def refuse(self):
        raise smtplib.SMTPServerDisconnected

    invite()
    monkeypatch.setattr("projects.invitations.EmailMessage.send", refuse)
    invite()
    assert Invitation.objects.open().get().sent_at is None
    client = Client()
    client.force_login(owner)
    assert "not sent" in client.get(reverse("admin:project_members", args=[project.pk])).text


# The page of the link.


def test_opening_the_link_changes_nothing(invite, project):
    key = invite()
    for send in (Client().get, Client().head):
        answer = send(reverse("invitation"), {"key": key})
        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"]
    assert Invitation.objects.open().count() == 1
    assert project.memberships.count() == 3


def test_somebody_new_makes_an_account_on_the_page_and_is_logged_in(invite, project):
    key, client = invite(), Client()
    form = {"key": key, "username": "grace", "password": PASSWORD}
    refused = client.post(reverse("invitation"), form | {"password": "short"})
    assert refused.status_code == 400
    assert "too short" in refused.text
    answer = client.post(reverse("invitation"), form)
    page = client.get(answer.headers["Location"])
    assert page.status_code == 200
    assert project.name in page.text
    assert Client().get(reverse("invitation"), {"key": key}).status_code == 410


def test_a_strange_key_is_as_one_that_has_ended():
    for key in ("", "x", "\0"):
        assert Client().get(reverse("invitation"), {"key": key}).status_code == 410


# The page of members.


@pytest.fixture
def page(owner, project):
    client = Client()
    client.force_login(owner)

    def send(**form):
        return client.post(reverse("admin:project_members", args=[project.pk]), form, follow=True)

    return send


def test_an_owner_adds_changes_and_removes_on_the_page(page, project, outsider):
    assert page(who="outsider", role="viewer").status_code == 200
    assert [*role_of(outsider, project)] == ["viewer"]
    page(verb="role", user=outsider.pk, role="approver")
    assert [*role_of(outsider, project)] == ["approver"]
    page(verb="remove", user=outsider.pk)
    assert not role_of(outsider, project).exists()


def test_the_last_owner_cannot_go(page, project, owner):
    for form in ({"verb": "remove"}, {"verb": "role", "role": "viewer"}):
        answer = page(user=owner.pk, **form)
        assert answer.status_code == 409
        assert "needs an owner" in answer.text
    assert [*role_of(owner, project)] == ["owner"]


def test_the_page_invites_by_mail(page, settings, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        page(who="Grace@Example.org", role="viewer")
    assert mail.outbox[-1].to == ["grace@example.org"]
    assert f"{settings.PUBLIC_URL}{reverse('invitation')}?key=" in mail.outbox[-1].body
    shown = page(verb="withdraw", invitation=Invitation.objects.get().pk)
    assert "grace@example.org" not in shown.text
    assert Invitation.objects.open().count() == 0


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"who": "nobody-here", "role": "viewer"}, "no such user"),
        ({"who": "not@an@address", "role": "viewer"}, "no mail address"),
        ({"who": "", "role": "viewer"}, "required"),
        ({"verb": "role"}, "incomplete"),
        ({"verb": "group", "group": "none", "role": "viewer"}, "no such group"),
        ({"verb": "nonsense"}, "incomplete"),
    ],
)
def test_bad_input_is_said_at_its_place(page, form, words):
    answer = page(**form)
    assert answer.status_code in (400, 404)
    assert words in answer.text


@pytest.mark.parametrize("who", ["viewer", "approver"])
def test_other_members_read_the_page_and_change_nothing(request, project, outsider, who):
    client = Client()
    client.force_login(request.getfixturevalue(who))
    path = reverse("admin:project_members", args=[project.pk])
    assert client.get(path).status_code == 200
    for name in ("outsider", "nobody-here"):
        assert client.post(path, {"who": name, "role": "viewer"}).status_code == 403
    assert client.post(path, {"who": "a@example.org", "role": "viewer"}).status_code == 403
    assert not role_of(outsider, project).exists()


# REST.


def test_invitations_over_rest(client_of, owner, viewer, project, outsider):
    path = reverse("project-invitations", args=[project.pk])
    api = client_of(owner)
    made = api.post(path, {"email": "grace@example.org", "role": "viewer"})
    assert made.status_code == 201
    assert "token" not in made.json()
    assert [row["id"] for row in api.get(path).json()["results"]] == [made.json()["id"]]
    one = reverse("project-invitation", args=[project.pk, made.json()["id"]])
    assert client_of(viewer).get(path).status_code == 403
    assert client_of(viewer).delete(one).status_code == 403
    assert client_of(outsider).get(path).status_code == 404
    assert api.delete(one).status_code == 204
    assert api.get(path).json()["results"] == []
    bad = api.post(path, {"email": "nonsense", "role": "viewer"})
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (400, "email")
