"""One id names a request: at the proxy, in the answer, and in the logs of web server and worker."""

import re
import socket
from urllib.parse import SplitResult, urlsplit

import httpx
import pytest

from tests.deploy.test_proxies import proxy, servers
from tests.end_to_end.conftest import start_worker
from tests.fixtures import BRIEF
from tests.live import eventually, token_of

__all__ = ["proxy", "servers", "start_worker"]

pytestmark = pytest.mark.django_db(transaction=True)

MADE = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FORGED = ["a b", 'x" level="ERROR', "x" * 65, "ü", "x\tstatus=200", ""]


def said_by(servers) -> str:
    return "".join(server.output() for server in servers)


def id_of(answer) -> str:
    [found] = answer.headers.get_list("X-Request-ID")
    return found


@pytest.mark.parametrize("given", [None, "my-own.id_1"])
def test_answer_and_logs_have_one_id(proxy, servers, owner, start_worker, given):
    worker = start_worker()
    eventually(worker.is_ready)
    headers = {"Authorization": f"Token {token_of(owner)}"}

    answer = httpx.post(
        f"{proxy}/api/v1/projects/",
        json={"name": "Library", "brief": BRIEF},
        headers=headers | ({"X-Request-ID": given} if given else {}),
        timeout=30,
    )

    found = id_of(answer)
    assert answer.status_code == 201
    assert found == given or (given is None and MADE.fullmatch(found))
    named = f"request_id={found}"
    eventually(lambda: named in said_by(servers))
    eventually(lambda: named in worker.output())


def test_an_id_that_is_no_plain_one_is_replaced(proxy, servers, subtests):
    for forged in FORGED:
        with subtests.test(forged=forged):
            answer = asked_by_hand(urlsplit(proxy), forged)

            assert " 200 " in answer.splitlines()[0]
            [found] = re.findall(r"(?im)^x-request-id: (.*?)\r?$", answer)
            assert MADE.fullmatch(found)
            eventually(lambda named=f"request_id={found}": named in said_by(servers))
            assert not forged or f"request_id={forged}" not in said_by(servers)


def asked_by_hand(address: SplitResult, request_id: str) -> str:
    """A client library would not send every id."""
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        head = f"GET /health/ HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n"
        connection.sendall(f"{head}X-Request-ID: {request_id}\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode("latin-1")


def test_nginx_names_what_no_web_server_has_seen(proxy, request):
    if request.node.callspec.params["proxy"].__name__ != "nginx":
        pytest.skip("Caddy names what it passes on.")

    assert MADE.fullmatch(id_of(httpx.get(f"{proxy}/metrics", timeout=20)))
