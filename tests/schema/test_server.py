"""The same over a socket: what the server and the layers around Django make of each request.

Nothing is rolled back here. Who only reads comes first, so that there is something to read.
"""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import Phase, given, note, settings

from tests.live import WebServer
from tests.schema.sending import CHECKED, ENDLESS, EXAMPLES, REPEATABLE, schema, use_real_ids

pytestmark = pytest.mark.django_db(transaction=True)

# Without an application in the process it is sent over HTTP.
described = schemathesis.openapi.from_dict(schema.raw_schema).exclude(operation_id=ENDLESS)
ORDER = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def server(things) -> Iterator[WebServer]:
    web_server = WebServer()
    yield web_server
    web_server.stop()


def operations():
    found = [result.ok() for result in described.get_all_operations()]
    # Nor is anything left of a project that was erased.
    return sorted(found, key=lambda one: (one.path.endswith("/erase/"), ORDER.index(one.method)))


def test_every_answer_of_the_server_is_described(server, things, logins):
    for operation in operations():

        @settings(REPEATABLE, max_examples=max(1, EXAMPLES // 5), phases=[Phase.generate])
        @given(case=operation.as_strategy())
        def send(case):
            use_real_ids(case, things)
            do_not_wait(case)
            for who, headers in logins.items():
                note(f"as {who}")
                response = case.call(base_url=server.url, headers=headers, timeout=60)
                case.validate_response(response, checks=CHECKED)

        send()


def do_not_wait(case):
    """For news that do not come."""
    if "wait" in (case.query or {}):
        case.query["wait"] = 0
