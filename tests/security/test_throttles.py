"""Too much is refused with a time to come back, and nobody locks anybody else out."""

import json
from types import SimpleNamespace

import pytest
import redis
from django.contrib.auth.models import User
from django.test import Client

from core import login_throttle, throttles, token_bucket
from core.token_bucket import SharedTokenBuckets, TokenBucket, TokenBuckets

pytestmark = pytest.mark.django_db

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture(autouse=True)
def nothing_counted(monkeypatch):
    throttles.user_requests.clear()
    throttles.address_requests.clear()
    tries = SharedTokenBuckets("login")
    monkeypatch.setattr(login_throttle, "login_tries", tries)
    with token_bucket.redis_client() as client:
        for key in client.scan_iter(tries.redis_key("*")):
            client.delete(key)


def ask_for_token(name, password, address=HERE):
    body = json.dumps({"username": name, "password": password})
    return Client(REMOTE_ADDR=address).post(
        "/api/v1/auth/token/", body, content_type="application/json"
    )


def fail(name, times, address=HERE):
    return [ask_for_token(name, "wrong", address).status_code for _ in range(times)]


def test_one_who_guesses_has_to_wait(settings, owner):
    settings.LOGIN_TRIES = 3

    assert fail("owner", 4) == [400, 400, 400, 429]
    refused = ask_for_token("OWNER", "owner-password")

    assert refused.status_code == 429
    assert refused["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "too_many_tries"
    assert 1 <= int(refused["Retry-After"]) <= 300


def test_the_person_gets_in_from_elsewhere_meanwhile(settings, owner):
    settings.LOGIN_TRIES = 3
    fail("owner", 5)

    assert ask_for_token("owner", "owner-password", ELSEWHERE).status_code == 200


def test_who_gets_in_begins_anew(settings, owner):
    settings.LOGIN_TRIES = 3
    for _ in range(3):
        assert fail("owner", 2) == [400, 400]
        assert ask_for_token("owner", "owner-password").status_code == 200


def test_one_password_on_many_names_is_noticed_too(settings):
    settings.LOGIN_TRIES = 1
    names = [f"name{number}" for number in range(11)]

    assert [fail(name, 1)[0] for name in names] == [400] * 10 + [429]


@pytest.mark.parametrize("path", ["/admin/login/", "/api/login/login/"])
def test_the_forms_for_people_refuse_as_well(settings, owner, path):
    settings.LOGIN_TRIES = 2
    form = {"username": "owner", "password": "wrong"}

    answers = [Client(REMOTE_ADDR=HERE).post(path, form) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1]["Retry-After"]) >= 1
    assert b"Wait" in answers[-1].content


def test_a_person_with_the_right_password_gets_in(client, owner):
    assert client.login(username="owner", password="owner-password")
    form = {"username": "owner", "password": "owner-password", "next": "/api/v1/"}
    assert client.post("/api/login/login/", form)["Location"] == "/api/v1/"


def test_without_redis_tries_are_counted_in_the_process(settings, owner, monkeypatch, closed_port):
    away = redis.Redis.from_url(f"redis://127.0.0.1:{closed_port}/0")
    monkeypatch.setattr(token_bucket, "redis_client", lambda: away)
    settings.LOGIN_TRIES = 2

    assert fail("owner", 3) == [400, 400, 429]
    assert ask_for_token("owner", "owner-password", ELSEWHERE).status_code == 200


def test_redis_is_told_neither_names_nor_addresses(owner):
    fail("owner", 1)

    with token_bucket.redis_client() as client:
        keys = b" ".join(client.scan_iter("*"))
    assert b":tokens:login:" in keys
    assert b"owner" not in keys
    assert HERE.encode() not in keys


def test_a_user_who_asks_too_much_waits_and_the_others_do_not(settings, client_of, owner, outsider):
    settings.THROTTLE_USER_PER_MINUTE = 2
    answers = [client_of(owner).get("/api/v1/projects/") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "rate_limited"
    assert answers[2]["Content-Type"] == "application/problem+json"
    assert 1 <= int(answers[2]["Retry-After"]) <= 30
    assert client_of(outsider).get("/api/v1/projects/").status_code == 200


def test_an_address_that_asks_too_much_waits_logged_in_or_not(settings):
    settings.THROTTLE_ADDRESS_PER_MINUTE = 2
    api = [Client(REMOTE_ADDR=HERE).get("/api/v1/projects/") for _ in range(3)]
    page = Client(REMOTE_ADDR=HERE).get("/admin/login/")

    assert [answer.status_code for answer in api] == [401, 401, 429]
    assert api[2].json()["code"] == "rate_limited"
    assert (page.status_code, page["Content-Type"]) == (429, "text/plain")
    assert Client(REMOTE_ADDR=HERE).get("/health/live").status_code == 200
    assert Client(REMOTE_ADDR=ELSEWHERE).get("/api/v1/projects/").status_code == 401


def test_tries_in_redis_come_back_one_by_one():
    tries = SharedTokenBuckets("login")
    assert [tries.take("key", 2, 600) for _ in range(2)] == [0, 0]
    assert 0 < tries.take("key", 2, 600) <= 300

    token_bucket.redis_client().hincrbyfloat(tries.redis_key("key"), "updated_at", -330)

    assert tries.take("key", 2, 600) == 0
    assert tries.take("key", 2, 600) > 0, "one came back, not both"


def test_a_bucket_fills_up_again(clock):
    buckets = TokenBuckets()
    assert [buckets.take("one", 600, 60) > 0 for _ in range(601)][-2:] == [False, True]

    clock[0] += 0.1

    assert buckets.take("one", 600, 60) == 0


def test_a_bucket_says_how_long_to_wait(clock):
    bucket = TokenBucket(2, 0.5)

    assert [bucket.take() for _ in range(4)] == [0, 0, 2, 2]


def test_a_rate_of_zero_is_no_limit():
    assert {TokenBuckets().take("one", 0, 60) for _ in range(50)} == {0}


def test_full_buckets_are_forgotten(monkeypatch, clock):
    monkeypatch.setattr(token_bucket, "MAX_KEYS", 3)
    buckets = TokenBuckets()
    for name in "abc":
        buckets.take(name, 60, 60)

    clock[0] += 61
    buckets.take("d", 60, 60)

    assert set(buckets._buckets) == {"d"}


# A tab asks twice a look: for what waits, and for its page. It looks 0.25 s after news, and then as
# long as the answers take; where nobody sees it, after 2 s (ui/web/static/ui/live.js).
SEEN_SECONDS, HIDDEN_SECONDS, ASKED_AT_A_LOOK = 0.3, 2.0, 2


@pytest.fixture
def clock(monkeypatch):
    """The time of the buckets, in a list of one."""
    now = [1000.0]
    monkeypatch.setattr(token_bucket, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def refused_in_minutes(minutes, *, seen, hidden, limit, clock):
    """With news without end, and all of it from one address to one process."""
    buckets, began = TokenBuckets(), clock[0]
    looks = sorted(
        began + number * seconds
        for tabs, seconds in ((seen, SEEN_SECONDS), (hidden, HIDDEN_SECONDS))
        for number in range(int(minutes * 60 / seconds))
        for _ in range(tabs * ASKED_AT_A_LOOK)
    )
    refused = 0
    for clock[0] in looks:
        refused += buckets.take(HERE, limit, 60) > 0
    return refused


def test_twenty_people_with_three_tabs_each_behind_one_address_meet_no_limit(settings, clock):
    limit = settings.THROTTLE_ADDRESS_PER_MINUTE

    assert refused_in_minutes(3, seen=20, hidden=40, limit=limit, clock=clock) == 0
    assert refused_in_minutes(3, seen=60, hidden=0, limit=limit, clock=clock) > 0


def test_one_person_with_three_windows_side_by_side_meets_no_limit(settings, clock):
    limit = settings.THROTTLE_USER_PER_MINUTE

    assert refused_in_minutes(3, seen=3, hidden=0, limit=limit, clock=clock) == 0


def test_twenty_people_of_one_office_log_in_at_once_and_some_mistype(settings):
    names = [f"person{number}" for number in range(20)]
    for name in names:
        User.objects.create_user(name, password="right-password")

    assert [fail(name, 2) for name in names] == [[400, 400]] * 20
    assert [ask_for_token(name, "right-password").status_code for name in names] == [200] * 20
