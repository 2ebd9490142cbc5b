"""All migrations, from an empty database to the newest state, back, and forward again."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from django.conf import settings

from tests.databases import own_database, with_owner

pytestmark = pytest.mark.slow

OURS = ("orchestrator", "hitl", "agents", "context", "projects", "audit", "api")


@pytest.fixture
def empty_database() -> Iterator[str]:
    """The URL of a database of its own."""
    with own_database("migrations") as url:
        yield url


def migrate(url: str, *target: str) -> None:
    command = [sys.executable, "manage.py", "migrate", "-v0", *target]
    environment = os.environ | with_owner(url)
    subprocess.run(command, env=environment, check=True, timeout=120, cwd=settings.BASE_DIR)


UNDO = """
import django
django.setup()
from django.core.management import call_command
for app in {apps}:
    call_command("migrate", app, "zero", verbosity=0)
"""


def undo(url: str) -> None:
    """All apps in one process, for it is its start that takes long."""
    command = [sys.executable, "-c", UNDO.format(apps=OURS)]
    environment = os.environ | with_owner(url)
    subprocess.run(command, env=environment, check=True, timeout=240, cwd=settings.BASE_DIR)


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in found}


def test_every_migration_runs_forward_from_empty_and_back(empty_database):
    migrate(empty_database)
    built = tables(empty_database)
    undo(empty_database)
    undone = tables(empty_database)
    migrate(empty_database)

    wanted = {"projects", "tasks", "agent_status", "context_artifacts", "hitl_requests"}
    assert wanted | {"event_log"} <= built
    assert not (wanted | {"event_log"}) & undone
    assert tables(empty_database) == built
