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


@pytest.fixture
def migrated_database() -> Iterator[str]:
    """A copy of one that was migrated from empty."""
    with own_database("migrated", is_migrated=True) as url:
        if "TESTS_TEMPLATE" not in os.environ:
            migrate(url)
        yield url


def migrate(url: str, *target: str) -> None:
    command = [sys.executable, "manage.py", "migrate", "-v0", *target]
    environment = os.environ | with_owner(url)
    subprocess.run(command, env=environment, check=True, timeout=120, cwd=settings.BASE_DIR)


UNDO = """
import django
django.setup()
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState
from core.database import as_owner
from ops.management.commands.migrate import reload_alone
ProjectState._find_reload_model = reload_alone
with as_owner():
    MigrationExecutor(connection).migrate([(app, None) for app in {apps}])
"""


def undo(url: str) -> None:
    """All apps at once: to start and to read all migrations takes longest."""
    command = [sys.executable, "-c", UNDO.format(apps=OURS)]
    environment = os.environ | with_owner(url)
    subprocess.run(command, env=environment, check=True, timeout=240, cwd=settings.BASE_DIR)


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {name for (name,) in found}


def test_every_migration_runs_back_and_forward_again(migrated_database):
    built = tables(migrated_database)
    undo(migrated_database)
    undone = tables(migrated_database)
    migrate(migrated_database)

    wanted = {"projects", "tasks", "agent_status", "context_artifacts", "hitl_requests"}
    assert wanted | {"event_log"} <= built
    assert not (wanted | {"event_log"}) & undone
    assert tables(migrated_database) == built
