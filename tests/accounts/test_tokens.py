from collections import defaultdict
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import tokens as tokens_module
from accounts.models import PersonalToken
from accounts.tokens import create_token, forget_expired_tokens
from audit.installation import INSTALLATION
from audit.models import Event
from core.authentication import hash_key
from core.models import IdempotencyKey
from tests.core.routes import api_routes
from tests.core.test_routes import STREAM, fill
from tests.scenes import asked

pytestmark = pytest.mark.django_db

TOKENS = "/api/v1/auth/tokens/"


def client_with(key: str) -> APIClient:
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    return api


def key_with(user: User, *scopes: str, **fields) -> str:
    return create_token(user=user, name="A script", scopes=[*scopes], **fields)[1]


def status_of(key: str) -> int:
    return client_with(key).get("/api/v1/projects/").status_code


def test_a_token_is_shown_once_and_only_its_hash_is_kept(owner, client_of):
    body = {"name": "Nightly", "scopes": ["decide", "read"]}
    answer = client_of(owner).post(TOKENS, body)

    made = answer.json()
    assert answer.status_code == 201
    assert made["scopes"] == ["read", "decide"]
    assert status_of(made["token"]) == 200
    [row] = [
        row for row in client_of(owner).get(TOKENS).json()["results"] if row["id"] == made["id"]
    ]
    assert "token" not in row
    assert row["last_used_at"] is not None
    with connection.cursor() as cursor:
        cursor.execute("SELECT personal_tokens::text FROM personal_tokens")
        rows = str(cursor.fetchall())
    assert made["token"] not in rows
    assert hash_key(made["token"]) in rows


def test_a_repeat_by_its_key_answers_without_the_secret(owner, project, client_of, subtests):
    body, api = {"name": "CI", "scopes": ["read"]}, client_of(owner)
    for path in (TOKENS, f"/api/v1/projects/{project.pk}/credentials/"):
        with subtests.test(path):
            first, second = (
                api.post(path, body, headers={"Idempotency-Key": path}).json() for _ in range(2)
            )

            assert second == first | {"token": None}
            assert first["token"] not in str([*IdempotencyKey.objects.values()])


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["all"]},
        {"scopes": "read"},
        {"name": ""},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2120-01-01T00:00:00Z"},
        {"expires_at": "0001-01-01T00:00:00+14:00"},
        {"expires_at": "soon"},
    ],
)
def test_a_token_that_cannot_be_is_refused_with_the_field(owner, client_of, wrong):
    answer = client_of(owner).post(TOKENS, {"name": "CI", "scopes": ["read"]} | wrong)

    assert answer.status_code == 400
    assert {error["field"].split(".")[0] for error in answer.json()["errors"]} == wrong.keys()


def test_a_token_makes_none_that_opens_more_or_for_longer(owner):
    soon = timezone.now() + timedelta(hours=1)
    api = client_with(key_with(owner, "manage", expires_at=soon))

    wider = api.post(TOKENS, {"name": "More", "scopes": ["manage", "decide"]})
    longer = {"name": "Longer", "scopes": ["manage"], "expires_at": soon + timedelta(hours=1)}
    assert (wider.status_code, wider.json()["code"]) == (403, "scope_missing")
    assert api.post(TOKENS, longer).status_code == 400
    same = api.post(TOKENS, {"name": "Same", "scopes": ["manage"]}).json()
    assert PersonalToken.objects.get(pk=same["id"]).expires_at == soon


def test_only_the_owner_revokes_a_token(owner, approver, client_of):
    token, key = create_token(user=owner, name="CI", scopes=["read"])

    assert client_of(approver).delete(f"{TOKENS}{token.pk}/").status_code == 404
    assert str(token.pk) not in str(client_of(approver).get(TOKENS).json())
    assert client_of(owner).delete(f"{TOKENS}{token.pk}/").status_code == 204
    assert status_of(key) == 401
    assert client_of(owner).delete(f"{TOKENS}{token.pk}/").status_code == 404


def test_an_expired_token_opens_nothing_and_is_forgotten_later(owner):
    token, key = create_token(user=owner, name="CI", scopes=["read"])
    rows = PersonalToken.objects.filter(pk=token.pk)

    rows.update(expires_at=timezone.now())
    assert status_of(key) == 401
    assert forget_expired_tokens() == 0
    rows.update(expires_at=timezone.now() - timedelta(days=31))
    assert forget_expired_tokens() == 1


def change_by_form(user):
    user.set_password("another")
    user.save()


def change_by_statement(user):
    other = User(username="x")
    other.set_password("another")
    User.objects.filter(pk=user.pk).update(password=other.password)


def disable(user):
    user.is_active = False
    user.save()


def disable_by_statement(user):
    User.objects.filter(pk=user.pk).update(is_active=False)


@pytest.mark.parametrize(
    "end", [change_by_form, change_by_statement, disable, disable_by_statement]
)
def test_a_changed_password_or_a_disabled_user_ends_all_tokens(owner, end):
    key = key_with(owner, "read")

    end(owner)

    assert status_of(key) == 401


def test_a_better_hash_of_the_same_password_ends_no_token(owner, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    owner.set_password("owner-password")
    owner.save()
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]
    key, before = key_with(owner, "read"), owner.password

    assert owner.check_password("owner-password")

    assert owner.password != before
    assert status_of(key) == 200


def test_a_login_makes_a_token_with_all_scopes_that_expires(owner, client, settings):
    body = {"username": "owner", "password": "owner-password"}
    first, second = (
        client.post("/api/v1/auth/token/", body, "application/json").json()["token"]
        for _ in range(2)
    )

    assert first != second
    assert status_of(first) == status_of(second) == 200
    token = PersonalToken.objects.get(key_hash=hash_key(first))
    assert token.scopes == ["read", "decide", "manage"]
    days = (token.expires_at - timezone.now()).total_seconds() / 86400
    assert days == pytest.approx(settings.TOKEN_DAYS, abs=0.1)


def test_logins_do_not_pile_up_tokens(owner, client, monkeypatch):
    monkeypatch.setattr(tokens_module, "MOST_LOGIN_TOKENS", 2)
    body = {"username": "owner", "password": "owner-password"}
    keys = [
        client.post("/api/v1/auth/token/", body, "application/json").json()["token"]
        for _ in range(3)
    ]

    assert [status_of(key) for key in keys] == [401, 200, 200]


def test_a_person_has_a_bounded_number_of_tokens(owner, client_of, monkeypatch):
    monkeypatch.setattr(tokens_module, "MOST_TOKENS", 2)
    api, body = client_of(owner), {"name": "CI", "scopes": ["read"]}

    answers = [api.post(TOKENS, body) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 409]
    assert answers[1].json()["code"] == "too_many_tokens"


def test_a_use_is_noted_once_in_ten_minutes(owner, django_assert_num_queries):
    token, key = create_token(user=owner, name="CI", scopes=["read"])
    find = tokens_module.PersonalTokens().find

    find(hash_key(key))
    with django_assert_num_queries(1):
        find(hash_key(key))

    assert PersonalToken.objects.get(pk=token.pk).last_used_at is not None


def test_every_route_wants_its_scope(owner, project, subtests):
    """Whatever there is: without the scope nothing is said, not even what exists."""
    request = asked(project)
    ids = {"project_id": project.pk, "agent_type": "coder", "user": 1, "number": 1, "group": 1}
    others = {
        "read": client_with(key_with(owner, "decide", "manage")),
        "decide": client_with(key_with(owner, "read", "manage")),
        "manage": client_with(key_with(owner, "read", "decide")),
    }
    deciding = ("decisions/", "bulk-decisions/", "comments/", "claim/", "release/", "reassign/")
    for route, _, methods in api_routes():
        if route in ("/api/v1/auth/token/", STREAM):
            continue
        pk = 1 if "audit/" in route else request.pk
        path = fill(route, defaultdict(lambda: request.pk, ids, pk=pk))
        for method in methods:
            is_decision = route.startswith("/api/v1/hitl/requests/") and route.endswith(deciding)
            scope = "read" if method == "get" else "decide" if is_decision else "manage"
            if route.endswith("ws-ticket/"):
                scope = "read"
            with subtests.test(route, method=method):
                answer = getattr(others[scope], method)(path, {})

                assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")
                assert answer.json()["scope"] == scope


def test_the_scope_for_a_decision_is_enough_for_it(project, approver):
    request = asked(project)
    api = client_with(key_with(approver, "decide"))
    body = {"action": "approve", "subject_digest": request.subject_digest}

    answer = api.post(f"/api/v1/hitl/requests/{request.pk}/decisions/", body)

    assert answer.status_code == 201


def test_what_happens_to_tokens_is_in_the_log_of_the_installation(owner, client_of):
    api = client_of(owner)
    made = api.post(TOKENS, {"name": "CI", "scopes": ["read"]}).json()
    api.delete(f"{TOKENS}{made['id']}/")

    events = Event.objects.filter(project=INSTALLATION, data__token=made["id"]).order_by("sequence")
    assert [event.event_type for event in events] == ["token_created", "token_revoked"]
    assert {event.actor for event in events} == {f"user:{owner.pk}"}
    assert made["token"] not in str([event.data for event in events])


def test_a_page_lists_tokens_without_their_keys_and_revokes_them(owner, staff, client):
    token, key = create_token(user=owner, name="CI", scopes=["read"])
    client.force_login(staff)

    page = client.get("/admin/accounts/personaltoken/").content.decode()
    assert "CI" in page
    assert token.key_hash not in page
    client.post(f"/admin/accounts/personaltoken/{token.pk}/delete/", {"post": "yes"})

    assert status_of(key) == 401
    event = Event.objects.get(project=INSTALLATION, event_type="token_revoked")
    assert (event.actor, event.data["user"]) == (f"user:{staff.pk}", owner.pk)
