"""An outsider learns nothing by an id in a path; the routes come from the URL conf."""

import asyncio
import re
import uuid

import pytest

from audit.models import Stream
from tests.isolation.routes import METHODS, PLACE, operations, routes

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


@pytest.fixture
def things(things_of_the_module):
    return things_of_the_module


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


@pytest.mark.parametrize("method", METHODS)
def test_an_outsider_gets_404_whatever_the_method_as_for_what_is_not(
    things, outsider, client_of, subtests, method
):
    before, send = head_of(things), getattr(client_of(outsider), method)

    for route in (r for r in ASKED if method in r.methods or method == "options"):
        operation = operation_of(route, method)
        query = operation.needed_query(things) if operation else {}
        asked = "".join(f"?{name}={id}" for name, id in query.items())
        with subtests.test(route.path):
            answer = send(route.filled(things) + asked)
            unknown = send(unknown_path(route, things) + asked)

            assert (answer.status_code, answer.content) == (unknown.status_code, unknown.content)
            assert answer.status_code == 404 or method == "options", answer.content
            assert things.project.name not in answer.content.decode()
        for body in bodies(method, operation, things):
            with subtests.test(route.path, body=body):
                response = send(route.filled(things) + asked, body)

                assert response.status_code == 404, response.content
                assert things.project.name not in response.content.decode()
    assert head_of(things) == before


def bodies(method, operation, things):
    """That one may send, beside none."""
    if method in ("get", "head", "options"):
        return []
    return [{}, *filter(None, [operation and operation.body(things)])]


def unknown_path(route, things):
    def unknown(place):
        value = route.value(place[1], things)
        if isinstance(value, uuid.UUID):
            return str(uuid.uuid4())
        return str(2**62) if place[1] == "pk" else str(value)

    return PLACE.sub(unknown, route.path)
