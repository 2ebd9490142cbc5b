"""Hints of a real worker with forked children reach a listener at once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from audit.actors import Actor
from projects.services import start_project
from tests.live import WebServer, hear, hear_until, test_database_url

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(django_db_setup: None) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "celery", "-A", "orchestrator", "worker", "--pool=prefork"]
    options = ["-c", "2", "-Q", "engine", "--without-gossip", "--without-mingle", "-l", "ERROR"]
    process = subprocess.Popen(
        [*command, *options],
        env=os.environ | {"DATABASE_URL": test_database_url()},
        stdout=subprocess.DEVNULL,
    )
    yield process
    process.terminate()
    process.wait(30)


def test_what_a_forked_worker_records_arrives_within_a_second(
    web_server: WebServer, worker, make_project, owner
):
    # One might be early because a poll came round just then; six in a row are not.
    waits = [first_task(web_server, make_project(name=f"Number {n}"), owner) for n in range(6)]

    assert worker.poll() is None
    assert max(waits) < 1, waits


def first_task(web_server: WebServer, project, owner) -> float:
    """Seconds from the worker's first event of a project until it is here."""
    with web_server.follow(project.pk, owner) as socket:
        hear_until(socket, "caught_up")
        start_project(project_id=project.pk, actor=Actor.of_user(owner))
        while (frame := hear(socket))["event"]["event_type"] != "task_created":
            pass
        return time.time() - datetime.fromisoformat(frame["event"]["created_at"]).timestamp()
