"""One line for each request and each socket, as a real server writes them."""

import http.client
import json
import uuid

import pytest
from websockets.exceptions import ConnectionClosed

from tests.live import eventually, hear_until, token_of
from tests.ops.logging.lines import entries_of

# Who is in the database only for the test cannot be seen by another process.
stored = pytest.mark.django_db(transaction=True)

FIELDS = {"time", "level", "logger", "message", "request_id", "route", "user", "duration_ms"}


class Asked:
    """A request to the server, and the line that it wrote of it."""

    def __init__(self, server, method, path, user=None, body=None, **headers):
        self.id = headers.pop("id", uuid.uuid4().hex)
        headers = {"X-Request-ID": self.id, "Content-Type": "application/json"} | headers
        if user is not None:
            headers["Authorization"] = f"Token {token_of(user)}"
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        text = None if body is None else json.dumps(body)
        connection.request(method, path, body=text, headers=headers)
        self.response = connection.getresponse()
        self.status, self.body = self.response.status, self.response.read()
        connection.close()
        self.server = server

    @property
    def answered_id(self):
        return self.response.headers["X-Request-ID"]

    @property
    def line(self):
        return line_of(self.server, self.answered_id)


def line_of(server, request_id, message="request"):
    (line,) = eventually(lambda: lines_of(server, request_id, message))
    return line


def lines_of(server, request_id, message):
    entries = entries_of(server.output())
    return [
        one for one in entries if one["message"] == message and one.get("request_id") == request_id
    ]


@stored
def test_a_request_leaves_one_line_with_its_route_status_and_user(server, project, viewer):
    path = f"/api/v1/projects/{project.pk}/"

    line = Asked(server, "GET", path, viewer).line
    assert set(line) == FIELDS | {"method", "status", "project"}
    assert (line["method"], line["status"]) == ("GET", 200)
    assert line["route"] == "api/v1/projects/<uuid:pk>/"
    assert (line["user"], line["project"]) == (viewer.pk, str(project.pk))
    assert (line["level"], line["logger"]) == ("INFO", "ops.logging.access_log")
    assert 0 < line["duration_ms"] < 60_000
    assert Asked(server, "GET", f"{path}?x=a-ticket", viewer).line
    assert "a-ticket" not in server.output()
    assert token_of(viewer) not in server.output()


@stored
def test_a_request_that_writes_names_the_project_that_it_wrote_to(server, owner):
    body = {"name": "Library", "brief": "Members borrow books.", "auto_start": False}
    asked = Asked(server, "POST", "/api/v1/projects/", owner, body)

    assert asked.status == 201
    assert asked.line["project"] == json.loads(asked.body)["id"]


@stored
def test_who_does_not_log_in_is_no_user_and_what_is_not_there_has_no_route(server):
    refused = Asked(server, "GET", "/api/v1/projects/")
    missing = Asked(server, "GET", "/decide/a-secret-link/")

    assert (refused.line["user"], refused.line["status"]) == (None, 401)
    assert (missing.line["route"], missing.line["status"]) == ("none", 404)
    assert "a-secret-link" not in server.output()


@pytest.mark.parametrize("path", ["/health", "/health/live/", "/static/admin/css/base.css"])
def test_probes_and_files_are_told_of_too(server, path):
    asked = Asked(server, "GET", path)

    assert (asked.answered_id, asked.line["status"]) == (asked.id, 200)


@pytest.mark.parametrize("given", ["two words", "x" * 65, "a;b", "ä", ""])
def test_an_id_that_is_not_plain_is_replaced(server, given):
    asked = Asked(server, "GET", "/health", id=given.encode())

    assert uuid.UUID(asked.answered_id)
    assert asked.line["status"] == 200


def test_what_django_never_sees_is_answered_with_an_id_and_told_of(server):
    asked = Asked(server, "POST", "/api/v1/projects/", body="x" * 5_300_000)

    assert (asked.status, asked.answered_id) == (413, asked.id)
    assert (asked.line["status"], asked.line["route"]) == (413, "none")


def test_a_foreign_host_is_told_of_in_one_line(server):
    asked = Asked(server, "GET", "/api/v1/projects/", Host="somewhere.else")

    assert asked.line["status"] == 400
    about = [one for one in entries_of(server.output()) if one.get("request_id") == asked.id]
    assert [one["message"] for one in about] == ["request"]


def test_a_method_that_somebody_made_up_is_not_written(server):
    asked = Asked(server, "ERROR", "/health")

    assert (asked.line["method"], asked.line["status"]) == ("other", 405)


@stored
def test_a_socket_has_an_id_and_leaves_a_line_when_it_is_over(server, project, viewer):
    name = uuid.uuid4().hex
    with server.follow(project.pk, viewer, "?after=0", headers={"X-Request-ID": name}) as socket:
        hear_until(socket, "caught_up")

    line = line_of(server, name, "socket closed")
    assert set(line) == FIELDS | {"project", "connection_id", "close_code"}
    assert line["route"] == "ws/projects/<uuid:project_id>/"
    assert (line["user"], line["project"]) == (viewer.pk, str(project.pk))
    assert line["close_code"] == 1000


@stored
def test_a_socket_that_is_refused_says_with_what_code(server, project, outsider):
    name = uuid.uuid4().hex
    follow = server.follow(project.pk, outsider, headers={"X-Request-ID": name})
    with follow as socket, pytest.raises(ConnectionClosed):
        socket.recv(timeout=30)

    line = line_of(server, name, "socket closed")
    assert (line["close_code"], line["user"]) == (4404, outsider.pk)


@stored
def test_a_stream_over_http_is_told_of_when_its_reader_has_gone(server, project, viewer):
    name = uuid.uuid4().hex
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"X-Request-ID": name, "Authorization": f"Token {token_of(viewer)}"}
    connection.request("GET", f"/api/v1/projects/{project.pk}/stream/?after=0", headers=headers)
    response = connection.getresponse()
    response.readline()
    assert lines_of(server, name, "request") == []
    response.close()
    connection.close()

    line = line_of(server, name)
    assert (line["status"], line["user"], line["project"]) == (200, viewer.pk, str(project.pk))


def test_every_line_of_the_server_is_one_json_object(server):
    assert Asked(server, "GET", "/health").line
    lines = server.output().splitlines()

    assert [line for line in lines if not line.startswith("{")] == []
    assert all(json.loads(line) for line in lines)
