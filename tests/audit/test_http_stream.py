import json
import threading
import time
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from django.db import connection

from audit.actors import Actor
from audit.models import Stream as StreamRow
from projects.services import remove_member
from tests.live import (
    BUSY_SECONDS,
    SUBPROTOCOL,
    Stream,
    WebServer,
    close_code,
    token_of,
    write,
)

pytestmark = pytest.mark.django_db(transaction=True)


class Sse:
    """Reads Server-Sent Events as a browser does."""

    def __init__(self, web_server: WebServer, project_id, user, **headers: str) -> None:
        headers["Authorization"] = f"Token {token_of(user)}"
        self.context = httpx.stream(
            "GET",
            f"{web_server.url}/api/v1/projects/{project_id}/stream/",
            headers=headers,
            timeout=10,
        )

    def __enter__(self) -> "Sse":
        self.response = self.context.__enter__()
        self.lines = self.response.iter_lines()
        return self

    def __exit__(self, *exc) -> None:
        self.context.__exit__(*exc)

    def hear(self) -> dict:
        message = {"event": "message"}
        for line in self.lines:
            if line == "" and "data" in message:
                return message
            name, _, value = line.partition(": ")
            message[name] = json.loads(value) if name == "data" else value
        raise AssertionError("the stream ended")

    def seconds_to_its_end(self) -> float:
        began = time.monotonic()
        while time.monotonic() - began < 30:
            if next(self.lines, None) is None:
                break
        return time.monotonic() - began

    def sequences(self, up_to: int) -> list[int]:
        seen = []
        while not seen or seen[-1] < up_to:
            message = self.hear()
            if message["event"] == "message":
                seen.append(message["data"]["sequence"])
        return seen


def test_server_sent_events_bring_the_past_and_then_the_present(
    web_server: WebServer, project, viewer
):
    head = write(project.pk, 2)

    with Sse(web_server, project.pk, viewer) as sse:
        assert sse.response.headers["content-type"] == "text/event-stream"
        past = sse.sequences(head)
        new_head = write(project.pk, 2)
        live = sse.sequences(new_head)

    assert past + live == list(range(1, new_head + 1))


def test_last_event_id_resumes(web_server: WebServer, project, viewer):
    head = write(project.pk, 5)
    with Sse(web_server, project.pk, viewer) as sse:
        sse.hear(), sse.hear()
        last = sse.hear()["id"]

    epoch = StreamRow.objects.get(project=project.pk).epoch
    assert last == f"{epoch}:2"
    with Sse(web_server, project.pk, viewer, **{"Last-Event-ID": last}) as sse:
        assert sse.sequences(head) == list(range(3, head + 1))


def test_last_event_id_of_another_epoch_starts_over(web_server: WebServer, project, viewer):
    with Sse(web_server, project.pk, viewer, **{"Last-Event-ID": "abc:2"}) as sse:
        message = sse.hear()

    assert message["event"] == "reset"
    assert message["data"]["reason"] == "epoch_changed"


@pytest.mark.parametrize(("query", "field"), [("after=1&after=2", "after"), ("afer=1", "afer")])
def test_a_query_that_is_unclear_is_400_and_named(
    web_server: WebServer, project, viewer, query, field
):
    response = httpx.get(
        f"{web_server.url}/api/v1/projects/{project.pk}/stream/?{query}",
        headers={"Authorization": f"Token {token_of(viewer)}"},
        timeout=20,
    )

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)


@pytest.mark.parametrize("last", ["rubbish", "abc:-1", "abc:1:2", "5"])
def test_last_event_id_that_is_none(web_server: WebServer, project, viewer, last):
    with Sse(web_server, project.pk, viewer, **{"Last-Event-ID": last}) as sse:
        assert sse.response.status_code == 400
        assert sse.response.headers["content-type"] == "application/problem+json"


def test_a_disabled_user_is_out_within_five_seconds_also_from_a_busy_stream(
    web_server: WebServer, project, viewer
):
    with Sse(web_server, project.pk, viewer) as sse, always_busy(project):
        sse.hear()
        viewer.is_active = False
        viewer.save()

        assert sse.seconds_to_its_end() < 5 + BUSY_SECONDS


def test_a_removed_member_is_out_within_five_seconds(web_server: WebServer, project, viewer, owner):
    with Sse(web_server, project.pk, viewer) as sse, always_busy(project):
        sse.hear()
        remove_member(project_id=project.pk, actor=Actor.of_user(owner), user_id=viewer.pk)

        assert sse.seconds_to_its_end() < 5 + BUSY_SECONDS


def test_a_stream_counts_among_the_connections_of_a_user(impatient: WebServer, project, viewer):
    with ExitStack() as streams:
        for _ in range(3):
            streams.enter_context(Sse(impatient, project.pk, viewer)).hear()

        refused = streams.enter_context(Sse(impatient, project.pk, viewer))

        assert refused.response.status_code == 429


@contextmanager
def always_busy(project):
    """An event more often than any silence is long."""
    is_over = threading.Event()

    def keep_writing() -> None:
        try:
            while not is_over.wait(0.2):
                write(project.pk)
        finally:
            connection.close()

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        yield
    finally:
        is_over.set()
        writer.join()


def test_who_may_not_see_gets_no_stream(web_server: WebServer, project, outsider):
    with Sse(web_server, project.pk, outsider) as sse:
        assert sse.response.status_code == 404
    assert httpx.get(f"{web_server.url}/api/v1/projects/{project.pk}/stream/").status_code == 401


def test_long_polling_waits_for_an_event(web_server: WebServer, project, viewer):
    head = write(project.pk)
    started = time.monotonic()
    threading.Timer(0.7, write_elsewhere, [project.pk]).start()

    response = poll(web_server, project, viewer, after_sequence=head, wait=20)
    took = time.monotonic() - started

    assert [event["sequence"] for event in response.json()["results"]] == [head + 1]
    assert 0.5 < took < 5 + BUSY_SECONDS


def test_long_polling_ends_with_nothing(web_server: WebServer, project, viewer):
    started = time.monotonic()
    response = poll(web_server, project, viewer, after_sequence=3, wait=1)

    assert response.json()["results"] == []
    assert time.monotonic() - started >= 1


def test_long_polling_does_not_wait_for_what_is_there(web_server: WebServer, project, viewer):
    started = time.monotonic()
    response = poll(web_server, project, viewer, after_sequence=1, wait=20)

    assert len(response.json()["results"]) == 2
    assert time.monotonic() - started < 5 + BUSY_SECONDS


@pytest.mark.parametrize("query", [{"wait": "x"}, {"wait": 61}, {"wait": 1, "after_sequence": -1}])
def test_long_polling_with_a_bad_request_is_told_at_once(
    web_server: WebServer, project, viewer, query
):
    assert poll(web_server, project, viewer, **query).status_code == 400


def test_an_outsider_does_not_wait(web_server: WebServer, project, outsider):
    response = poll(web_server, project, outsider, after_sequence=3, wait=20)

    assert response.json()["results"] == []


def poll(web_server: WebServer, project, user, **query) -> httpx.Response:
    return httpx.get(
        f"{web_server.url}/api/v1/audit/events/",
        params={"project": project.pk} | query,
        headers={"Authorization": f"Token {token_of(user)}"},
        timeout=30,
    )


def write_elsewhere(project_id) -> None:
    from django.db import connection

    write(project_id)
    connection.close()


@pytest.fixture
def ticket(web_server: WebServer, viewer) -> str:
    response = httpx.post(
        f"{web_server.url}/api/v1/auth/ws-ticket/",
        headers={"Authorization": f"Token {token_of(viewer)}"},
    )
    assert response.status_code == 201
    assert response.json()["expires_in"] == 30
    return response.json()["ticket"]


def with_ticket(web_server: WebServer, ticket: str) -> Stream:
    stream = Stream(web_server.connect("/ws/", subprotocols=[SUBPROTOCOL]))
    stream.say("connection_init", ticket=ticket)
    return stream


def test_a_ticket_logs_in_once(web_server: WebServer, project, ticket):
    first = with_ticket(web_server, ticket)
    assert first.hear()["type"] == "connection_ack"
    first.say("subscribe", id="a", project=str(project.pk))
    assert first.hear()["type"] == "subscribed"
    first.close()

    second = with_ticket(web_server, ticket)
    assert second.hear()["code"] == "bad_ticket"
    assert close_code(second.socket) == 4401


def test_a_made_up_ticket_is_refused(web_server: WebServer):
    assert close_code(with_ticket(web_server, "é" * 40).socket) == 4401


def test_a_ticket_ends_with_the_login_it_stands_for(web_server: WebServer, viewer, ticket):
    viewer.personal_tokens.all().delete()

    assert close_code(with_ticket(web_server, ticket).socket) == 4401


def test_nobody_gets_a_ticket(web_server: WebServer):
    assert httpx.post(f"{web_server.url}/api/v1/auth/ws-ticket/").status_code == 401
