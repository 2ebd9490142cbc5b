"""The sockets and what is streamed, from the routing; what one may say there, from its models."""

import json
import re
from typing import get_args
from uuid import UUID, uuid4

import httpx
import pytest
from websockets.sync.client import connect

from audit.stream.consumers import websocket_urlpatterns
from audit.stream.protocol import ClientMessage
from tests.isolation.routes import PLACE
from tests.isolation.test_paths import LIVE
from tests.live import SUBPROTOCOL, close_code, hear, session_cookie, token_of

pytestmark = pytest.mark.django_db(transaction=True)

PATHS = [str(pattern.pattern) for pattern in websocket_urlpatterns]
WITH_ID = [path for path in PATHS if PLACE.search(path)]
MESSAGES = [
    (message, name)
    for message in get_args(get_args(ClientMessage)[0])
    for name, field in message.model_fields.items()
    if field.annotation is UUID or UUID in get_args(field.annotation)
]


def login_of(user):
    return [
        {"Authorization": f"Token {token_of(user)}"},
        {"Cookie": session_cookie(user)},
    ]


@pytest.mark.parametrize("route", LIVE, ids=lambda route: route.path)
def test_an_outsider_gets_404_from_what_is_streamed(web_server, things, outsider, route):
    response = httpx.get(
        web_server.url + route.filled(things),
        headers={"Authorization": f"Token {token_of(outsider)}"},
        timeout=20,
    )

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize("path", WITH_ID)
def test_an_outsider_is_told_that_there_is_no_such_project(web_server, things, outsider, path):
    strange = PLACE.sub(lambda place: str(things.named(place[1])), path)
    unknown = PLACE.sub(str(uuid4()), path)

    for headers in login_of(outsider):
        for asked in (strange, unknown):
            url = web_server.url.replace("http", "ws") + f"/{asked}?after=0"
            with connect(url, additional_headers=headers, subprotocols=[SUBPROTOCOL]) as socket:
                assert close_code(socket) == 4404


@pytest.mark.parametrize(
    ("message", "name"), MESSAGES, ids=lambda case: getattr(case, "__name__", case)
)
def test_no_message_brings_an_outsider_what_is_not_theirs(
    web_server, things, outsider, message, name
):
    kind = get_args(message.model_fields["type"].annotation)[0]
    url = web_server.url.replace("http", "ws") + "/ws/"

    with connect(
        url, additional_headers=login_of(outsider)[0], subprotocols=[SUBPROTOCOL]
    ) as socket:
        say(socket, type="connection_init")
        assert hear(socket)["type"] == "connection_ack"
        answers = []
        for number, id in enumerate((things.named(name), uuid4())):
            say(socket, **{"type": kind, "id": str(number), name: str(id)})
            answers.append(hear(socket))

    assert [answer["code"] for answer in answers] == ["not_found", "not_found"]
    assert answers[0]["detail"] == answers[1]["detail"]


def say(socket, **fields):
    socket.send(json.dumps(fields))


def test_the_routing_was_read():
    assert "ws/projects/<uuid:project_id>/" in WITH_ID
    assert [message.__name__ for message, _ in MESSAGES] == ["Subscribe"]
    assert all(re.match(r"^(ws/.*|)$", path) for path in PATHS)
