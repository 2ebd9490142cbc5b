"""Headers of every answer, and bodies that are too large."""

import pytest

from orchestrator.asgi import BodyLimit

pytestmark = pytest.mark.django_db


PATHS = (
    *("/health/", "/api/v1/projects/", "/api/docs/", "/api/login/login/"),
    *("/admin/login/", "/nothing"),
)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_closed_to_other_pages(client, path):
    headers = client.get(path, HTTP_ORIGIN="https://elsewhere.example").headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "form-action 'self'" in headers["Content-Security-Policy"]
    assert not [name for name in headers if name.startswith("Access-Control-")]


def test_a_page_elsewhere_gets_no_leave_to_send(client):
    answer = client.options(
        "/api/v1/projects/",
        HTTP_ORIGIN="https://elsewhere.example",
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
    )

    assert not [name for name in answer.headers if name.startswith("Access-Control-")]


def test_cookies_are_kept_from_scripts_and_other_sites(client, owner):
    client.post("/api/login/login/", {"username": "owner", "password": "owner-password"})
    session, csrf = client.cookies["sessionid"], client.cookies["csrftoken"]

    assert (session["httponly"], session["samesite"]) == (True, "Lax")
    assert csrf["samesite"] == "Lax"


async def reading(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"read"})


async def answer(path, parts, headers=()):
    """What a server gets that passes a body on in parts."""
    said, left = [], [*parts]

    async def receive():
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message):
        said.append(message)

    limited = BodyLimit(reading, limit=10, larger={"/import": 100})
    await limited({"type": "http", "path": path, "headers": headers}, receive, send)
    return said[0]["status"], said[-1]["body"]


async def test_a_body_within_the_limit_is_read():
    assert await answer("/any/", [b"12345", b"67890"]) == (200, b"read")


async def test_one_that_announces_too_much_is_refused_unread():
    status, body = await answer("/any/", [], [(b"content-length", b"11")])

    assert status == 413
    assert b'"code": "too_large"' in body


async def test_one_that_turns_out_too_large_is_refused():
    assert (await answer("/any/", [b"12345", b"678901"]))[0] == 413


async def test_a_path_may_take_more():
    assert (await answer("/projects/import/", [b"1" * 50, b"2" * 50]))[0] == 200
    assert (await answer("/projects/import/", [b"1" * 50, b"2" * 51]))[0] == 413
