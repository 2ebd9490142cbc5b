import json
import time
import uuid
from contextlib import ExitStack

import pytest
from django.contrib.sessions.models import Session
from django.db import transaction

from audit.actors import Actor
from audit.services import record
from audit.stream.hub import REVOCATION_SECONDS
from audit.stream.notifier import publish_ephemeral
from hitl.events import REQUEST_CREATED
from projects.services import remove_member
from tests.live import (
    BUSY_SECONDS,
    SUBPROTOCOL,
    Stream,
    WebServer,
    close_code,
    hear,
    hear_until,
    session_cookie,
    write,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_handshake_says_what_holds(web_server: WebServer, viewer):
    stream = Stream(web_server.connect("/ws/", viewer, subprotocols=[SUBPROTOCOL]))
    stream.say("connection_init")
    ack = stream.hear()
    stream.close()

    assert ack["type"] == "connection_ack"
    assert ack["connection_id"]
    assert ack["heartbeat_seconds"] == 20
    assert ack["max_subscriptions"] == 100


def test_one_connection_carries_many_projects(web_server: WebServer, make_project, viewer):
    first, second = make_project(), make_project()
    stream = web_server.stream(viewer)
    stream.say("subscribe", id="a", project=str(first.pk))
    stream.say("subscribe", id="b", project=str(second.pk), after=1)

    frames = [stream.hear() for _ in range(9)]
    stream.close()

    def of(id: str) -> list:
        return [(frame["type"], frame.get("sequence")) for frame in frames if frame["id"] == id]

    past = [("event", 2), ("event", 3), ("caught_up", 3)]
    assert of("a") == [("subscribed", None), ("event", 1), *past]
    assert of("b") == [("subscribed", None), *past]


def test_a_subscription_can_be_ended_and_its_id_used_again(web_server: WebServer, project, viewer):
    stream = web_server.stream(viewer)
    stream.say("subscribe", id="a", project=str(project.pk))
    hear_until(stream.socket, "caught_up")
    stream.say("complete", id="a")
    assert stream.hear() == {"type": "complete", "id": "a", "code": "completed"}

    head = write(project.pk)
    stream.say("subscribe", id="a", project=str(project.pk), after=head)
    assert stream.hear()["type"] == "subscribed"
    assert stream.hear() == {"type": "caught_up", "id": "a", "sequence": head}
    stream.close()


def test_types_leave_holes_and_say_so(web_server: WebServer, project, viewer):
    stream = web_server.stream(viewer)
    stream.say(
        "subscribe", id="a", project=str(project.pk), types=["task_progress", "project_created"]
    )
    frames = hear_until(stream.socket, "caught_up")
    head = write(project.pk, 2)
    frames += [stream.hear(), stream.hear()]
    stream.close()

    shown = [(f["previous"], f["sequence"]) for f in frames if f["type"] == "event"]
    assert shown == [(0, 1), (1, head - 1), (head - 1, head)]


def test_a_window_bounds_what_is_under_way(web_server: WebServer, project, viewer):
    head = write(project.pk, 10)
    stream = web_server.stream(viewer)
    stream.say("subscribe", id="a", project=str(project.pk), window=4)
    first = [stream.hear() for _ in range(5)]
    with pytest.raises(TimeoutError):
        stream.hear(timeout=0.5)
    stream.say("ack", id="a", sequence=2)
    more = [stream.hear(), stream.hear()]
    with pytest.raises(TimeoutError):
        stream.hear(timeout=0.5)
    stream.say("ack", id="a", sequence=6)
    rest = [stream.hear() for _ in range(4)]
    stream.close()

    assert [frame["sequence"] for frame in first[1:]] == [1, 2, 3, 4]
    assert [frame["sequence"] for frame in more] == [5, 6]
    assert [frame["sequence"] for frame in rest] == [7, 8, 9, 10]
    assert head == 13


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"after": -1}, "invalid_after"),
        ({"after": "x"}, "invalid_after"),
        ({"project": "x"}, "invalid_project"),
        ({"types": ["nothing_happened"]}, "invalid_types"),
        ({"types": []}, "invalid_types"),
        ({"window": 0}, "invalid_window"),
        ({"project": str(uuid.uuid4())}, "not_found"),
    ],
)
def test_a_subscription_that_cannot_be_leaves_the_others_alone(
    web_server: WebServer, project, viewer, fields, code
):
    stream = web_server.stream(viewer)
    stream.say("subscribe", **({"id": "bad", "project": str(project.pk)} | fields))
    refused = stream.hear()
    stream.say("subscribe", id="good", project=str(project.pk))
    good = stream.hear()
    stream.close()

    assert (refused["type"], refused["id"], refused["code"]) == ("error", "bad", code)
    assert good["type"] == "subscribed"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"type": "shout"}', '{"type": "ack"}', "x" * 70_000]
)
def test_what_is_not_the_protocol_ends_the_connection(web_server: WebServer, viewer, text):
    stream = web_server.stream(viewer)
    stream.socket.send(text)

    assert stream.hear()["type"] == "error"
    assert close_code(stream.socket) == 4400


def test_bytes_are_not_the_protocol(web_server: WebServer, viewer):
    stream = web_server.stream(viewer)
    stream.socket.send(b"{}")

    assert close_code(stream.socket) == 4400


def test_without_the_subprotocol_there_is_no_connection(web_server: WebServer, viewer):
    with web_server.connect("/ws/", viewer) as socket:
        assert close_code(socket) == 4406


def test_nobody_gets_past_the_handshake(web_server: WebServer):
    stream = Stream(web_server.connect("/ws/", subprotocols=[SUBPROTOCOL]))
    stream.say("connection_init")
    assert close_code(stream.socket) == 4401


def test_nothing_before_connection_init(web_server: WebServer, project, viewer):
    stream = Stream(web_server.connect("/ws/", viewer, subprotocols=[SUBPROTOCOL]))
    stream.say("subscribe", id="a", project=str(project.pk))
    assert close_code(stream.socket) == 4401


def test_an_unknown_path_is_told(web_server: WebServer, viewer):
    with web_server.connect("/ws/elsewhere/", viewer) as socket:
        assert close_code(socket) == 4404


def test_a_ping_is_answered(web_server: WebServer, viewer):
    stream = web_server.stream(viewer)
    stream.say("ping")
    assert stream.hear() == {"type": "pong"}
    stream.close()


def test_an_ephemeral_reaches_who_is_up_to_date(web_server: WebServer, project, viewer):
    stream = web_server.stream(viewer)
    stream.say("subscribe", id="a", project=str(project.pk))
    hear_until(stream.socket, "caught_up")

    publish_ephemeral(project.pk, {"kind": "progress", "percent": 40})

    assert stream.hear() == {
        "type": "ephemeral",
        "id": "a",
        "content": {"kind": "progress", "percent": 40},
    }
    stream.close()


def test_a_removed_member_loses_that_subscription_only(
    web_server: WebServer, make_project, viewer, owner
):
    left, kept = make_project(), make_project()
    stream = web_server.stream(viewer)
    for id, project in (("left", left), ("kept", kept)):
        stream.say("subscribe", id=id, project=str(project.pk))
        hear_until(stream.socket, "caught_up")
    remove_member(project_id=left.pk, actor=Actor.of_user(owner), user_id=viewer.pk)

    assert stream.hear() == {"type": "complete", "id": "left", "code": "not_allowed"}
    write(kept.pk)
    assert stream.hear()["id"] == "kept"
    stream.close()


def test_who_may_no_longer_be_in_is_out_within_five_seconds(
    web_server: WebServer, project, approver, viewer, owner
):
    """A disabled user, an ended session and a deleted token, noticed at the same time."""
    cookie = {"Cookie": session_cookie(approver)}
    path = f"/ws/projects/{project.pk}/"
    with (
        web_server.follow(project.pk, viewer) as disabled,
        web_server.connect(path, headers=cookie) as session_ended,
        web_server.follow(project.pk, owner) as token_deleted,
    ):
        sockets = (disabled, session_ended, token_deleted)
        for socket in sockets:
            hear_until(socket, "caught_up")
        viewer.is_active = False
        viewer.save()
        Session.objects.all().delete()
        owner.personal_tokens.all().delete()
        started = time.monotonic()

        assert [close_code(socket) for socket in sockets] == [4401] * 3
        took = time.monotonic() - started
    assert REVOCATION_SECONDS < 5
    assert took < 5 + BUSY_SECONDS


def test_who_says_nothing_is_sent_away(impatient: WebServer, viewer):
    with impatient.connect("/ws/", viewer, subprotocols=[SUBPROTOCOL]) as socket:
        assert close_code(socket) == 4408


def test_who_does_not_answer_a_ping_is_gone(impatient: WebServer, project, viewer):
    stream = impatient.stream(viewer)
    stream.say("subscribe", id="a", project=str(project.pk))
    while not (ping := hear_until(stream.socket, "ping")[-1])["heads"]:
        # It has not subscribed yet.
        stream.say("pong")
    assert ping["heads"] == {"a": 3}
    assert close_code(stream.socket) == 4512


def test_who_answers_pings_stays(impatient: WebServer, project, viewer):
    stream = impatient.stream(viewer)
    for _ in range(3):
        hear_until(stream.socket, "ping")
        stream.say("pong")
    stream.close()


def test_who_never_acknowledges_is_too_slow(impatient: WebServer, project, viewer):
    stream = impatient.stream(viewer)
    stream.say("subscribe", id="a", project=str(project.pk), window=1)
    code = None
    while code is None:
        try:
            if stream.hear()["type"] == "ping":
                stream.say("pong")
        except Exception as closed:
            code = closed.rcvd.code
    assert code == 4508


def test_too_many_subscriptions(impatient: WebServer, project, viewer):
    stream = impatient.stream(viewer)
    for id in "abc":
        stream.say("subscribe", id=id, project=str(project.pk))
    assert close_code(stream.socket) == 4429


def test_too_many_frames(impatient: WebServer, viewer):
    stream = impatient.stream(viewer)
    for _ in range(40):
        stream.socket.send(json.dumps({"type": "ping"}))
    assert close_code(stream.socket) == 4429


def test_too_many_connections(impatient: WebServer, project, viewer):
    with ExitStack() as sockets:
        for _ in range(3):
            socket = sockets.enter_context(impatient.follow(project.pk, viewer))
            assert hear(socket)["type"] == "subscribed"
        one_more = sockets.enter_context(impatient.follow(project.pk, viewer))
        assert close_code(one_more) == 4429


def test_a_membership_that_is_gone_without_news_is_noticed(impatient: WebServer, project, viewer):
    with impatient.follow(project.pk, viewer) as socket:
        hear_until(socket, "caught_up")
        viewer.memberships.all().delete()
        assert close_code(socket) == 4403


def test_a_changed_password_ends_the_session(impatient: WebServer, project, viewer):
    headers = {"Cookie": session_cookie(viewer)}
    with impatient.connect(f"/ws/projects/{project.pk}/", headers=headers) as socket:
        hear_until(socket, "caught_up")
        viewer.set_password("another-password")
        viewer.save()
        assert close_code(socket) == 4401


def test_an_inbox_says_what_waits_whenever_it_changes(impatient: WebServer, project, viewer):
    stream = impatient.stream(viewer)
    stream.say("subscribe", id="i", project="inbox")
    assert hear_past_pings(stream) == {"type": "inbox", "id": "i", "items": []}
    with transaction.atomic():
        head = record(
            project_id=project.pk,
            event_type=REQUEST_CREATED,
            actor=Actor.of_system("test"),
        )
    changed = hear_past_pings(stream)
    stream.close()

    assert changed == {"type": "inbox", "id": "i", "items": [{"sequence": head}]}


def hear_past_pings(stream):
    while (frame := stream.hear())["type"] == "ping":
        stream.say("pong")
    return frame


def test_without_a_source_there_is_no_inbox(without_inbox: WebServer, viewer):
    stream = without_inbox.stream(viewer)
    stream.say("subscribe", id="i", project="inbox")
    assert stream.hear()["code"] == "no_inbox"
    stream.close()
