import uuid

import pytest

from audit.actors import Actor
from audit.models import Event, Stream
from audit.serialization import to_wire
from audit.stream.authentication import credentials_of
from projects.models import Membership, Project
from projects.services import remove_member
from tests.live import (
    SUBPROTOCOL,
    WebServer,
    close_code,
    events,
    hear,
    hear_until,
    session_cookie,
    write,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_member_gets_the_past_and_then_what_happens(web_server: WebServer, project, viewer):
    head = write(project.pk, 3)

    with web_server.follow(project.pk, viewer) as socket:
        frames = hear_until(socket, "caught_up")
        live_head = write(project.pk, 2)
        live = list(events(socket, live_head))

    epoch = Stream.objects.get(project=project.pk).epoch
    first, *past, caught_up = frames
    assert {name: first[name] for name in ("type", "project", "epoch", "head")} == {
        "type": "subscribed",
        "project": str(project.pk),
        "epoch": epoch,
        "head": head,
    }
    assert [frame["sequence"] for frame in past] == list(range(1, head + 1))
    assert caught_up["sequence"] == head
    assert [frame["sequence"] for frame in live] == [head + 1, head + 2]


def test_an_event_arrives_in_its_one_public_form(web_server: WebServer, project, owner):
    with web_server.follow(project.pk, owner) as socket:
        frames = hear_until(socket, "caught_up")

    shown = [frame["event"] for frame in frames if frame["type"] == "event"]
    assert shown == [to_wire(event) for event in Event.objects.filter(project=project.pk)]


def test_it_goes_on_after_the_sequence_that_was_asked_for(web_server: WebServer, project, owner):
    head = write(project.pk, 5)

    with web_server.follow(project.pk, owner, f"?after={head - 2}") as socket:
        frames = hear_until(socket, "caught_up")

    assert [f["sequence"] for f in frames if f["type"] == "event"] == [head - 1, head]


@pytest.mark.parametrize("query", ["?after=-1", "?after=abc", "?after=1e3", "?after=9" + "9" * 30])
def test_a_position_that_is_none_is_an_error(web_server: WebServer, project, owner, query):
    with web_server.follow(project.pk, owner, query) as socket:
        frame = hear(socket)
        code = close_code(socket)

    assert frame["type"] == "error"
    assert frame["code"] == "invalid_after"
    assert code == 4400


def test_a_position_beyond_the_head_starts_over(web_server: WebServer, project, owner):
    head = write(project.pk)

    with web_server.follow(project.pk, owner, f"?after={head + 1}") as socket:
        frames = hear_until(socket, "caught_up")

    epoch = Stream.objects.get(project=project.pk).epoch
    reset, subscribed, *past, _ = frames
    assert reset == {
        "type": "reset",
        "id": str(project.pk),
        "reason": "ahead_of_head",
        "epoch": epoch,
        "head": head,
    }
    assert subscribed["from"] == 0
    assert subscribed["recovered"] is False
    assert [frame["sequence"] for frame in past] == list(range(1, head + 1))


def test_a_position_of_another_epoch_starts_over(web_server: WebServer, project, owner):
    with web_server.follow(project.pk, owner, "?after=1&epoch=earlier") as socket:
        assert hear(socket)["reason"] == "epoch_changed"


def test_nobody_is_told_to_log_in(web_server: WebServer, project):
    with web_server.connect(f"/ws/projects/{project.pk}/") as socket:
        assert close_code(socket) == 4401


def test_a_wrong_token_does_not_fall_back_to_the_session(web_server: WebServer, project, owner):
    headers = {"Authorization": "Token wrong", "Cookie": session_cookie(owner)}
    with web_server.connect(f"/ws/projects/{project.pk}/", headers=headers) as socket:
        assert close_code(socket) == 4401


def test_an_outsider_cannot_tell_a_project_from_none(web_server: WebServer, project, outsider):
    with web_server.follow(project.pk, outsider) as socket:
        assert close_code(socket) == 4404
    with web_server.follow(uuid.uuid4(), outsider) as socket:
        assert close_code(socket) == 4404


def test_a_session_cookie_logs_in(web_server: WebServer, project, viewer):
    with web_server.connect(
        f"/ws/projects/{project.pk}/",
        headers={"Cookie": session_cookie(viewer)},
        origin=web_server.url,
    ) as socket:
        assert hear(socket)["type"] == "subscribed"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://localhost:1", "http://127.0.0.1.evil.example"],
)
def test_a_foreign_page_may_not_use_the_session(web_server: WebServer, project, viewer, origin):
    headers = {"Cookie": session_cookie(viewer)}
    with web_server.connect(
        f"/ws/projects/{project.pk}/", headers=headers, origin=origin
    ) as socket:
        assert close_code(socket) == 4403


@pytest.mark.parametrize(
    ("proxy", "scheme", "forwarded", "own"),
    [
        (False, "ws", None, "http"),
        (False, "wss", None, "https"),
        (False, "ws", "https", "http"),  # anybody may say so
        (True, "ws", "https", "https"),
        (True, "wss", "http", "http"),
        (True, "ws", None, "http"),
    ],
)
def test_a_page_with_another_scheme_is_a_foreign_one(settings, proxy, scheme, forwarded, own):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if proxy else None
    headers = [(b"host", b"localhost"), (b"cookie", b"sessionid=x")]
    if forwarded:
        headers.append((b"x-forwarded-proto", forwarded.encode()))

    foreign = {
        origin: credentials_of(
            {"scheme": scheme, "headers": [*headers, (b"origin", f"{origin}://localhost".encode())]}
        ).is_foreign
        for origin in ("http", "https")
    }

    assert foreign == {name: name != own for name in ("http", "https")}


def test_a_foreign_page_with_a_token_may_listen(web_server: WebServer, project, viewer):
    with web_server.follow(project.pk, viewer, origin="https://elsewhere.example") as socket:
        assert hear(socket)["type"] == "subscribed"


def test_the_subprotocol_is_echoed_and_another_is_refused(web_server: WebServer, project, viewer):
    with web_server.follow(project.pk, viewer, subprotocols=[SUBPROTOCOL]) as socket:
        assert socket.subprotocol == SUBPROTOCOL
    with web_server.follow(project.pk, viewer, subprotocols=["graphql-ws"]) as socket:
        assert close_code(socket) == 4406


def test_many_events_arrive_in_order_each_once(web_server: WebServer, project, viewer):
    with web_server.follow(project.pk, viewer) as socket:
        hear_until(socket, "caught_up")
        head = write(project.pk, 300)
        sequences = [frame["sequence"] for frame in events(socket, head)]

    assert sequences == list(range(head - 299, head + 1))


def test_a_removed_member_is_out_at_once(web_server: WebServer, project: Project, viewer, owner):
    with web_server.follow(project.pk, viewer) as socket:
        hear_until(socket, "caught_up")
        remove_member(project_id=project.pk, actor=Actor.of_user(owner), user_id=viewer.pk)
        assert close_code(socket) == 4403
    assert not Membership.objects.filter(project=project, user=viewer).exists()
