"""A web server gets SIGTERM while it answers."""

import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import httpx
import pytest
from django.db import transaction

from orchestrator.lifespan import HANGING_SECONDS
from projects.models import Project
from tests.live import WebServer, eventually, token_of
from tests.probes import somebody_waits_for_us

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SLACK_SECONDS = 15


@pytest.fixture
def server(django_db_setup):
    server = WebServer()
    yield server
    if server.process.poll() is None:
        server.stop(signal.SIGKILL)


@contextmanager
def a_request_that_waits(server: WebServer, project: Project, owner):
    """It waits for the project's lock, which is held until this ends."""
    url = f"{server.url}/api/v1/projects/{project.pk}/cancel/"
    headers = {"Authorization": f"Token {token_of(owner)}"}
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Project.objects.lock().get(pk=project.pk)
        answer = pool.submit(httpx.post, url, headers=headers, timeout=60)
        eventually(somebody_waits_for_us)
        yield answer


def test_what_is_being_answered_is_answered_before_the_end(server, project, owner):
    with a_request_that_waits(server, project, owner) as answer:
        server.process.terminate()
        # Nobody says so in time: the signal is on its way, or has been seen.
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(1)

    assert answer.result(30).status_code == 200
    assert server.process.wait(SLACK_SECONDS) == 0
    project.refresh_from_db()
    assert project.status == "cancelled"


def test_an_answer_that_never_comes_does_not_keep_the_server(server, project, owner):
    with a_request_that_waits(server, project, owner) as answer:
        server.process.terminate()
        server.process.wait(HANGING_SECONDS + SLACK_SECONDS)
        with suppress(httpx.HTTPError):
            assert answer.result(30).status_code == 500

    project.refresh_from_db()
    assert project.status == "draft"
