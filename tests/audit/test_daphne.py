"""Daphne still serves the application, to whoever wants it."""

import os
import re
import subprocess
import sys
import threading

import httpx
import pytest
from websockets.sync.client import connect

from tests.live import hear_until, test_database_url, token_of, write

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LISTENING = re.compile(r"Listening on TCP address 127\.0\.0\.1:(\d+)")


@pytest.fixture
def address(django_db_setup):
    command = [sys.executable, "-m", "daphne", "-e", "tcp:0:interface=127.0.0.1"]
    process = subprocess.Popen(
        [*command, "orchestrator.asgi:application"],
        env=os.environ | {"DATABASE_URL": test_database_url(), "LOG_LEVEL": "INFO"},
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(90, process.kill)
    watchdog.start()
    port = next(match[1] for line in process.stderr if (match := LISTENING.search(line)))
    threading.Thread(target=process.stderr.read, daemon=True).start()
    yield f"127.0.0.1:{port}"
    watchdog.cancel()
    process.terminate()
    process.wait(20)


def test_daphne_serves_rest_and_stream(address, project, viewer):
    headers = {"Authorization": f"Token {token_of(viewer)}"}
    answer = httpx.get(f"http://{address}/api/v1/projects/{project.pk}/", headers=headers)
    assert answer.json()["name"] == project.name

    path = f"ws://{address}/ws/projects/{project.pk}/"
    with connect(path, additional_headers=headers) as socket:
        hear_until(socket, "caught_up")
        head = write(project.pk)
        assert hear_until(socket, "event")[-1]["sequence"] == head
