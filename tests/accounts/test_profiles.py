"""One's own page, and times in one's own time zone."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import PersonalToken, Profile
from accounts.tokens import create_token

pytestmark = pytest.mark.django_db

PAGE = "/admin/profile/"


def logged_in(person):
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def client(viewer):
    return logged_in(viewer)


def save(client, **fields):
    names = {"first_name": "Vera", "last_name": "Viewer", "time_zone": "Asia/Tokyo"}
    return client.post(PAGE, {"form": "profile"} | names | fields)


def test_name_and_time_zone_are_kept(client, viewer):
    assert save(client).status_code == 302
    viewer.refresh_from_db()
    assert viewer.get_full_name() == "Vera Viewer"
    assert Profile.objects.get().time_zone == "Asia/Tokyo"


def test_pages_show_times_in_ones_own_zone_and_the_api_in_utc(client, viewer, project):
    page = reverse("admin:project_members", args=[project.pk])
    assert " UTC</span>" in client.get(page).text
    save(client)
    assert " JST</span>" in client.get(page).text
    # From the next login on, in every browser.
    assert " JST</span>" in logged_in(viewer).get(page).text
    times = client.get(reverse("project-detail", args=[project.pk])).json()
    assert times["created_at"].endswith("Z")


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"time_zone": "Mars/Phobos"}, "time_zone"), ({"first_name": "a\0b"}, "first_name")],
)
def test_bad_input_is_said_at_its_field(client, fields, field):
    answer = save(client, **fields)
    assert answer.status_code == 400
    assert field in answer.context["forms"]["profile"].errors


def test_the_password_is_changed_with_the_old_one_and_ends_tokens(client, viewer):
    create_token(user=viewer, name="script", scopes=["read"])
    new = {"new_password1": "a long enough phrase", "new_password2": "a long enough phrase"}
    assert client.post(PAGE, {"form": "password", "old_password": "wrong"} | new).status_code == 400
    answer = client.post(PAGE, {"form": "password", "old_password": "viewer-password"} | new)
    assert answer.status_code == 302
    viewer.refresh_from_db()
    assert viewer.check_password("a long enough phrase")
    assert not PersonalToken.objects.exists()
    assert client.get(PAGE).status_code == 200


def test_a_token_is_made_shown_once_used_and_revoked(client, viewer, project):
    form = {"form": "token", "name": "script", "scopes": ["read"], "days": 366}
    key = client.post(PAGE, form).context["key"]
    assert key not in client.get(PAGE).text
    api = Client(headers={"Authorization": f"Token {key}"})
    assert api.get(reverse("project-detail", args=[project.pk])).status_code == 200
    client.post(PAGE, {"form": "revoke", "token": PersonalToken.objects.get().pk})
    assert api.get(reverse("project-detail", args=[project.pk])).status_code == 401


def test_nobody_revokes_a_token_of_somebody_else(client, owner):
    token, _ = create_token(user=owner, name="script", scopes=["read"])
    for value in (token.pk, "nonsense", ""):
        assert client.post(PAGE, {"form": "revoke", "token": value}).status_code in (400, 404)
    assert PersonalToken.objects.filter(pk=token.pk).exists()


def test_a_form_that_there_is_not_does_nothing(client):
    assert client.post(PAGE, {"form": "nonsense"}).status_code == 400
