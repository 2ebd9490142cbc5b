"""Hints of a real worker with forked children reach who listens in Redis."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer

from audit.actors import Actor
from audit.models import Event
from audit.stream.notifier import group_of
from projects.services import start_project
from tests.live import LONG_SECONDS, test_database_url

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


def test_what_a_forked_worker_records_is_announced(worker, make_project, owner):
    # Of so many, each child has done some.
    for number in range(6):
        project = make_project(name=f"Number {number}")
        async_to_sync(hear_of_the_first_task)(project, owner)

    assert worker.poll() is None


async def hear_of_the_first_task(project, owner) -> None:
    """Whoever looks at the database now and then would learn of it without a hint."""
    layer = get_channel_layer()
    channel = await layer.new_channel("test.")
    await layer.group_add(group_of(project.pk), channel)
    async with asyncio.timeout(LONG_SECONDS):
        await sync_to_async(start_project)(project_id=project.pk, actor=Actor.of_user(owner))
        created = Event.objects.filter(project=project.pk, event_type="task_created")
        head = 0
        while not await created.filter(sequence__lte=head).aexists():
            head = (await layer.receive(channel))["head"]
    await layer.flush()
