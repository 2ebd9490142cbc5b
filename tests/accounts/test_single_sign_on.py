"""Login by a real, small identity provider; second factors; forgotten passwords."""

import re

import httpx
import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.models import Group, User
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.models import PersonalToken
from audit.actors import Actor
from audit.models import Event
from projects.groups import add_group
from tests.fixtures import make_user

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough phrase"


@pytest.fixture(autouse=True)
def _no_tries_of_another_test():
    cache.clear()


@pytest.fixture
def client():
    return Client()


def is_logged_in(client):
    return client.get(reverse("admin:profile")).status_code == 200


# By password alone.


def with_factor(user):
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def code_now(secret):
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


@pytest.mark.parametrize("why", ["second factor", "single sign-on"])
def test_a_password_alone_is_refused(client, viewer, why):
    if why == "second factor":
        with_factor(viewer)
    else:
        SocialAccount.objects.create(user=viewer, provider="sso", uid="1")
    body = {"username": "viewer", "password": "viewer-password"}
    answer = client.post("/api/v1/auth/token/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_required")
    for path in (reverse("admin:login"), "/api/login/login/"):
        assert client.post(path, body | {"password": "wrong"}).status_code == 200
        assert client.post(path, body).status_code == 403
    if why == "single sign-on":
        form = {"login": "viewer", "password": "viewer-password"}
        assert client.post(reverse("account_login"), form).status_code == 403
    assert not is_logged_in(client)
    assert not PersonalToken.objects.exists()


def test_the_second_factor_lets_in_and_only_the_right_one(client, viewer):
    secret = with_factor(viewer)
    form = {"username": "viewer", "password": "viewer-password", "next": "/admin/profile/"}
    page = client.post(reverse("admin:login"), form).context["go_on"]
    assert page == reverse("mfa_authenticate")
    assert client.post(page, {"code": "not one"}).status_code == 200
    assert not is_logged_in(client)
    assert client.post(page, {"code": code_now(secret)}).headers["Location"] == "/admin/profile/"
    assert is_logged_in(client)


def test_without_a_password_there_is_no_second_factor_to_give(client, viewer):
    secret = with_factor(viewer)
    client.post(reverse("mfa_authenticate"), {"code": code_now(secret)})
    assert not is_logged_in(client)


def test_a_second_factor_is_turned_on_and_kept_unreadable(client, viewer):
    client.force_login(viewer)
    page = client.get(reverse("mfa_activate_totp"), follow=True)
    again = client.post(page.redirect_chain[-1][0], {"password": "viewer-password"}, follow=True)
    secret = again.context["form"].secret
    assert "<svg" in again.text
    done = client.post(reverse("mfa_activate_totp"), {"code": code_now(secret)})
    assert done.status_code == 302
    row = Authenticator.objects.get(user=viewer, type="totp")
    assert secret not in str(row.data)
    kinds = Event.objects.filter(event_type="second_factor_added", data__user=viewer.pk)
    assert {event.data["kind"] for event in kinds} >= {"totp"}
    for view in ("mfa_index", "mfa_view_recovery_codes", "mfa_list_webauthn"):
        assert client.get(reverse(view)).status_code == 200


def test_whoever_has_lost_it_is_helped_by_a_superuser_alone(client, viewer, owner, staff):
    with_factor(viewer)
    path = reverse("admin:mfa_authenticator_delete", args=[Authenticator.objects.get().pk])
    client.force_login(owner)
    client.post(path, {"post": "yes"})
    assert Authenticator.objects.exists()
    client.force_login(staff)
    client.post(path, {"post": "yes"})
    assert not Authenticator.objects.exists()
    assert Event.objects.filter(event_type="second_factor_removed").exists()


# Forgotten passwords.


@pytest.fixture
def grace(db):
    return make_user("grace", email="grace@example.org")


def ask_for_a_link(client, address="grace@example.org"):
    answer = client.post(reverse("account_reset_password"), {"email": address})
    assert answer.headers["Location"] == reverse("account_reset_password_done")


def test_a_forgotten_password_is_chosen_anew_by_mail_once(client, grace, settings):
    ask_for_a_link(client)
    link = re.search(rf"{settings.PUBLIC_URL}(\S+)", mail.outbox[-1].body)[1]
    # A scanner of mail opens it, and changes nothing.
    Client().get(link, follow=True)
    page = client.get(link, follow=True)
    path = page.redirect_chain[-1][0]
    client.post(path, {"password1": PASSWORD, "password2": PASSWORD})
    grace.refresh_from_db()
    assert grace.check_password(PASSWORD)
    assert not is_logged_in(client)
    again = Client().get(link, follow=True)
    assert "password1" not in again.text


def test_the_answer_tells_nobody_which_accounts_there_are(client, grace):
    ask_for_a_link(client, "nobody@example.org")
    assert mail.outbox == []


def test_no_password_by_mail_for_accounts_of_the_provider(client, grace):
    SocialAccount.objects.create(user=grace, provider="sso", uid="1")
    ask_for_a_link(client)
    assert mail.outbox == []


def test_a_mail_server_that_is_away_shows_nothing(client, grace, monkeypatch):
    monkeypatch.setattr("django.core.mail.EmailMessage.send", _refuse)
    ask_for_a_link(client)


def _refuse(self, *arguments, **options):
    raise ConnectionRefusedError


def test_nobody_signs_up(client):
    form = {"username": "eve", "password1": PASSWORD, "password2": PASSWORD}
    client.post(reverse("account_signup"), form)
    assert not User.objects.filter(username="eve").exists()


# By the identity provider.

CLAIMS = {
    "preferred_username": "ida",
    "email": "ida@example.org",
    "email_verified": True,
    "given_name": "Ida",
    "groups": ["approvers", "others"],
}


@pytest.fixture
def provider(settings):
    """A provider of its own process's thread, which knows Ida. `claims` may be changed."""
    from oidc_provider_mock import User as ProviderUser
    from oidc_provider_mock import run_server_in_thread

    claims = dict(CLAIMS)
    with run_server_in_thread(user_claims=[ProviderUser(sub="42", claims=claims)]) as server:
        url = f"http://localhost:{server.server_port}"
        settings.OIDC_SERVER_URL = url
        settings.OIDC_GROUPS = {"approvers": "Approvers", "guests": "Guests"}
        app = {
            "provider_id": "sso",
            "name": "Example",
            "client_id": "paraph",
            "secret": "secret",
            "settings": {"server_url": url},
        }
        settings.SOCIALACCOUNT_PROVIDERS = {
            "openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}
        }
        yield claims


def by_provider(client, action="", **query):
    """As a browser goes: to the provider, which asks who it is, and back."""
    login = client.get(reverse("openid_connect_login", args=["sso"]), query)
    form = {"sub": "42"} | ({"action": action} if action else {})
    back = httpx.post(login.headers["Location"], data=form, timeout=20)
    return client.get(back.headers["location"].removeprefix("http://testserver"))


@pytest.mark.slow
def test_whoever_the_provider_knows_gets_in_and_out(client, provider):
    assert "Log in with" in client.get(reverse("admin:login")).text
    assert by_provider(client, next="/admin/profile/").headers["Location"] == "/admin/profile/"
    ida = User.objects.get(username="ida")
    assert (ida.email, ida.first_name) == ("ida@example.org", "Ida")
    assert (ida.is_staff, ida.has_usable_password()) == (False, False)
    assert is_logged_in(client)
    client.post(reverse("admin:logout"))
    assert not is_logged_in(client)
    by_provider(client)
    assert is_logged_in(client)
    assert User.objects.filter(username__startswith="ida").count() == 1


@pytest.mark.slow
def test_who_is_disabled_stays_out_at_once(client, provider):
    by_provider(client)
    User.objects.filter(username="ida").update(is_active=False)
    assert not is_logged_in(client)
    by_provider(client)
    assert not is_logged_in(client)


@pytest.mark.slow
def test_groups_of_the_provider_are_roles_here_at_each_login(
    client, provider, project, owner, django_capture_on_commit_callbacks
):
    Group.objects.create(name="Approvers")
    actor = Actor.of_user(owner)
    add_group(project_id=project.pk, actor=actor, group="Approvers", role="approver")
    with django_capture_on_commit_callbacks(execute=True):
        by_provider(client)
    ida = User.objects.get(username="ida")
    assert [group.name for group in ida.groups.all()] == ["Approvers"]
    assert project.memberships.get(user=ida).role == "approver"
    local = Group.objects.create(name="Of our own")
    ida.groups.add(local)
    provider["groups"] = ["guests"]
    with django_capture_on_commit_callbacks(execute=True):
        by_provider(Client())
    assert {group.name for group in ida.groups.all()} == {"Guests", "Of our own"}
    assert not project.memberships.filter(user=ida).exists()


@pytest.mark.slow
@pytest.mark.parametrize("same", [{"username": "Ida"}, {"email": "IDA@example.org"}])
def test_nobody_becomes_a_second_person_but_links_the_first(client, provider, same):
    user = make_user(**({"name": "other"} | same) if "email" in same else {"name": "Ida"})
    assert by_provider(client).status_code == 403
    assert not is_logged_in(client)
    client.force_login(user)
    by_provider(client, process="connect", next="/admin/profile/")
    assert SocialAccount.objects.get().user == user
    client.post(reverse("admin:logout"))
    by_provider(client)
    assert is_logged_in(client)


@pytest.mark.slow
def test_whom_the_provider_refuses_is_told_so(client, provider):
    answer = by_provider(client, action="deny")
    assert not is_logged_in(client)
    assert answer.status_code in (302, 403)
    settings_gone = client.get(
        reverse("openid_connect_callback", args=["sso"]), {"code": "x", "state": "forged"}
    )
    assert settings_gone.status_code == 403
