"""A backup that is taken while agents work, restored elsewhere: the log holds, the work goes on."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from audit.models import Stream
from projects.models import Project
from tests.databases import own_database, with_owner
from tests.fixtures import BRIEF
from tests.live import eventually
from tests.scenes import hand_in, pending_request

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_logs"),
    pytest.mark.slow,
]


@pytest.fixture
def elsewhere() -> Iterator[dict[str, str]]:
    """The environment of an installation with an empty database and queues of its own."""
    with own_database("restored") as url:
        name = urlsplit(url).path.removeprefix("/")
        yield {
            **with_owner(url),
            "QUEUE_PREFIX": f"{name}-",
            "CHANNEL_PREFIX": name,
            "DJANGO_SETTINGS_MODULE": "tests.end_to_end.quick_settings",
        }


def manage(environment: dict[str, str], *words: object) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *map(str, words)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=150,
        cwd=settings.BASE_DIR,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def epochs_in(environment: dict[str, str]) -> dict:
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        return dict(connection.execute("SELECT project, epoch FROM event_streams").fetchall())


def test_restored_elsewhere_the_log_holds_and_the_work_goes_on(
    owner, elsewhere, start_worker, tmp_path
):
    # In this order the workers end before their database does, and complain of nothing.
    worker, file = start_worker(), tmp_path / "paraph.dump"
    waiting = hand_in(owner, BRIEF)
    eventually(lambda: pending_request(waiting))
    running = [hand_in(owner, BRIEF, oversight_level="low") for _ in range(3)]

    call_command("backup", file)
    worker.kill()
    said = manage(elsewhere, "restore", file)

    before = dict(Stream.objects.values_list("project", "epoch"))
    after = epochs_in(elsewhere)
    assert file.stat().st_mode & 0o077 == 0
    assert f"each of {len(after)} streams" in said
    assert after.keys() >= {project.pk for project in (waiting, *running)}
    assert not set(after.values()) & set(before.values())
    assert len(set(after.values())) == len(after)
    manage(elsewhere, "verify_audit")

    start_worker(**elsewhere)
    for project in (waiting, running[0]):
        manage(elsewhere, "run_project", "--resume", project.pk, "--approve-all", "--user", "owner")
    manage(elsewhere, "verify_audit")


def test_nothing_is_ever_overwritten(project, tmp_path):
    file = tmp_path / "paraph.dump"
    call_command("backup", file)

    with pytest.raises(CommandError, match="holds projects"):
        call_command("restore", file)

    assert Project.objects.get() == project


@pytest.mark.parametrize("content", [b"", b"PGDMP nonsense"])
def test_what_is_no_backup_changes_nothing(project, tmp_path, content):
    file: Path = tmp_path / "no.dump"
    file.write_bytes(content)

    with pytest.raises(CommandError, match="pg_restore"):
        call_command("restore", file)

    assert Project.objects.get() == project


def test_a_backup_that_fails_leaves_no_file(project, tmp_path, monkeypatch):
    monkeypatch.setattr("ops.backup._program", lambda name: "false")

    with pytest.raises(CommandError, match="pg_dump"):
        call_command("backup", tmp_path / "paraph.dump")

    assert list(tmp_path.iterdir()) == []
