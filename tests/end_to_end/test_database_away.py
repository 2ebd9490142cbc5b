"""PostgreSQL is stopped under a running web server: who asks is told to come back, and can."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from ops.devserver.data_dir import open_data_dir
from ops.devserver.postgres import Postgres
from tests.fixtures import BRIEF
from tests.live import WebServer, close_code, eventually
from tests.servers import load

pytestmark = pytest.mark.slow

PASSWORD = "correct-horse-9"
# A pool that doubles its pauses would have tried after 7 s in vain, and next after 15 s.
AWAY_SECONDS = 8
BACK_SECONDS = 5


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with tempfile.TemporaryDirectory(prefix="paraph-tests-") as home:
        Path(home).chmod(0o711)
        folder = open_data_dir(Path(home) / "data", system_dir=Path(home))
        server = Postgres(folder, is_durable=False)
        server.start_and_wait()
        yield server
        server.stop()
        folder.close()


def manage(postgres: Postgres, *arguments: str) -> None:
    own = {"DATABASE_URL": postgres.url, "MIGRATION_DATABASE_URL": postgres.owner_url}
    own |= {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, env=os.environ | own, check=True, timeout=180, cwd=settings.BASE_DIR)


@pytest.fixture(scope="module")
def web(postgres: Postgres) -> Iterator[WebServer]:
    if dump := os.environ.get("TESTS_DUMP"):
        load(dump, postgres.owner_url)
    else:
        manage(postgres, "migrate", "-v0")
    manage(postgres, "createsuperuser", "--noinput", "--username=ada", "--email=a@example.com")
    server = WebServer(DATABASE_URL=postgres.url)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def client(web: WebServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=web.url, timeout=40, follow_redirects=False) as client:
        login = {"username": "ada", "password": PASSWORD}
        token = client.post("/api/v1/auth/token/", json=login).json()["token"]
        client.headers["Authorization"] = f"Token {token}"
        yield client


@pytest.fixture(scope="module")
def away(postgres: Postgres, client: httpx.Client) -> float:
    """One outage for all of these, for each is slow; since when. The last one ends it."""
    postgres.stop()
    return time.monotonic()


def asked(client: httpx.Client, *requests: httpx.Request) -> list[httpx.Response]:
    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(client.send, requests))


def test_every_request_of_a_program_is_answered_503_and_when_to_come_back(client, away):
    project = "/api/v1/projects/01990000-0000-7000-8000-000000000000"
    body = {"name": "Library", "brief": BRIEF}
    login = {"username": "ada", "password": PASSWORD}
    requests = [
        client.build_request("GET", "/api/v1/projects/"),
        client.build_request("POST", "/api/v1/projects/", json=body),
        client.build_request(
            "POST", "/api/v1/projects/", json=body, headers={"Idempotency-Key": "once"}
        ),
        client.build_request("POST", "/api/v1/auth/token/", json=login),
        client.build_request("POST", "/api/v1/auth/ws-ticket/"),
        client.build_request("POST", "/api/v1/emergency-stop/", json={"reason": "Halt."}),
        client.build_request("GET", f"{project}/export/"),
        client.build_request("GET", f"{project}/stream/"),
        client.build_request(
            "GET", f"/api/v1/audit/events/?wait=5&after_sequence=1&project={project[-36:]}"
        ),
    ]

    answers = asked(client, *requests)

    for answer in answers:
        assert answer.status_code == 503, (answer.request.url, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["code"] == "database_away"
        assert set(answer.json()) == {"type", "title", "status", "detail", "code"}


def test_a_page_for_people_says_so_in_words(web, away):
    cookies = {"sessionid": "a" * 32}
    page = httpx.get(f"{web.url}/admin/", cookies=cookies, timeout=40)

    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert "cannot be reached" in page.text
    assert "Traceback" not in page.text


def test_who_connects_a_socket_is_told_to_come_back(web, client, away):
    project = "01990000-0000-7000-8000-000000000000"
    headers = {"Authorization": client.headers["Authorization"]}

    with web.connect(f"/ws/projects/{project}/", headers=headers) as socket:
        assert close_code(socket) == 4503


def test_what_was_refused_is_done_when_it_is_sent_again_soon_after_the_return(
    client, postgres, away
):
    body = {"name": "Twice", "brief": BRIEF, "auto_start": False}

    def send() -> httpx.Response:
        return client.post("/api/v1/projects/", json=body, headers={"Idempotency-Key": "twice"})

    while time.monotonic() - away < AWAY_SECONDS:
        assert send().status_code == 503
    postgres.start()
    eventually(postgres.answers)
    back_at = time.monotonic()
    first = eventually(lambda: (answer := send()).status_code == 201 and answer)

    assert time.monotonic() - back_at < BACK_SECONDS
    assert send().json() == first.json()
    found = client.get("/api/v1/projects/", params={"search": "Twice"}).json()["results"]
    assert len([one for one in found if one["name"] == "Twice"]) == 1
