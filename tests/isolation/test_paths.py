"""An outsider learns nothing by an id in a path; the routes come from the URL conf."""

import asyncio
import re
import uuid

import httpx
import pytest

from audit.models import Stream
from tests.isolation.routes import METHODS, PLACE, operations, routes
from tests.live import token_of

pytestmark = pytest.mark.django_db

# Whose places are no ids of anything that belongs to somebody.
PUBLIC = re.compile(
    r"/static/|/api/v1/agent-types/|/accounts/(password/reset/key|oidc|2fa/webauthn/keys)/"
)
WITH_ID = [route for route in routes() if route.places]
OF_THE_API = [
    route for route in WITH_ID if route.path.startswith("/api/v1/") and not PUBLIC.match(route.path)
]
LIVE = [route for route in OF_THE_API if asyncio.iscoroutinefunction(route.view)]
ASKED = [route for route in OF_THE_API if route not in LIVE]


def operation_of(route, method):
    wanted = "get" if method == "head" else method
    return next((o for o in operations() if o.method == wanted and o.route == route), None)


def head_of(things):
    return Stream.objects.get(project=things.project.pk).sequence


def test_the_url_conf_was_read():
    assert len(ASKED) > 20
    assert {m for route in ASKED for m in route.methods} >= {"get", "head", "post", "delete"}
    assert LIVE


def test_outside_of_the_api_nothing_takes_an_id():
    others = [route.path for route in WITH_ID if route not in OF_THE_API]

    assert [path for path in others if not PUBLIC.match(path)] == []


@pytest.mark.parametrize("method", [method for method in METHODS if method != "options"])
def test_an_outsider_gets_404_whatever_the_method(things, outsider, client_of, subtests, method):
    before, send = head_of(things), getattr(client_of(outsider), method)

    for route in (route for route in ASKED if method in route.methods):
        operation = operation_of(route, method)
        query = operation.needed_query(things) if operation else {}
        path = route.filled(things) + "".join(f"?{name}={id}" for name, id in query.items())
        for body in (None, {}, operation and operation.body(things)):
            with subtests.test(route.path, body=body):
                response = send(path, *([] if body is None else [body]))

                assert response.status_code == 404, response.content
                assert things.project.name not in response.content.decode()
    assert head_of(things) == before


def test_an_outsider_cannot_tell_a_strange_id_from_one_that_is_not(
    things, outsider, client_of, subtests
):
    client = client_of(outsider)

    for route in ASKED:
        for method in ("options", *route.methods):
            with subtests.test(route.path, method=method):
                answers = [
                    getattr(client, method)(path)
                    for path in (route.filled(things), unknown_path(route, things))
                ]

                assert answers[0].status_code == answers[1].status_code
                assert answers[0].content == answers[1].content


def unknown_path(route, things):
    def unknown(place):
        value = route.value(place[1], things)
        if isinstance(value, uuid.UUID):
            return str(uuid.uuid4())
        return str(2**62) if place[1] == "pk" else str(value)

    return PLACE.sub(unknown, route.path)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("route", LIVE, ids=lambda route: route.path)
def test_an_outsider_gets_404_from_what_is_streamed(web_server, things, outsider, route):
    response = httpx.get(
        web_server.url + route.filled(things),
        headers={"Authorization": f"Token {token_of(outsider)}"},
        timeout=20,
    )

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
