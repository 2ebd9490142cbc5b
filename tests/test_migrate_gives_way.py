"""A migration and a request want the same tables, each in its own order: the request wins."""

import os
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate as djangos
from django.db import OperationalError

from ops.management.commands import migrate as ours
from tests.databases import with_owner
from tests.live import eventually
from tests.test_migrations import empty_database, migrate, tables

__all__ = ["empty_database"]

# It alters requests first, and then refers to projects from a new table.
BEFORE, LATER = ("hitl", "0002"), ("hitl", "0003")


@pytest.mark.slow
def test_a_request_in_the_middle_goes_on_and_the_migration_begins_again(empty_database, tmp_path):
    migrate(empty_database, *BEFORE)
    said = tmp_path / "said"
    with psycopg.connect(empty_database) as request, said.open("w") as errors:
        # In the order of the code: the project first.
        request.execute("LOCK TABLE projects IN ROW EXCLUSIVE MODE")
        program = subprocess.Popen(
            [sys.executable, "manage.py", "migrate", "-v0", *LATER],
            env=os.environ | with_owner(empty_database),
            cwd=settings.BASE_DIR,
            stderr=errors,
        )
        eventually(lambda: said.read_text().count("A table is in use") > 1)
        request.execute("SET LOCAL lock_timeout = '900ms'")
        request.execute("SELECT count(*) FROM hitl_requests")
        assert program.poll() is None

    assert program.wait(60) == 0
    assert "hitl_policies" in tables(empty_database)


class InUse(Exception):
    sqlstate = "55P03"


class Broken(Exception):
    sqlstate = "42P07"


def failing_with(cause):
    def handle(*args, **options):
        raise OperationalError("so") from cause()

    return handle


@pytest.mark.administrator
@pytest.mark.django_db
def test_a_table_that_is_held_all_the_time_ends_it_with_advice(monkeypatch):
    monkeypatch.setattr(djangos.Command, "handle", failing_with(InUse))
    monkeypatch.setattr(ours, "TRIES", 3)
    monkeypatch.setattr(ours, "PAUSE_SECONDS", 0)

    with pytest.raises(CommandError, match="gave up after 3 tries"):
        call_command("migrate")


@pytest.mark.administrator
@pytest.mark.django_db
def test_any_other_error_is_not_tried_again(monkeypatch):
    monkeypatch.setattr(djangos.Command, "handle", failing_with(Broken))

    with pytest.raises(OperationalError):
        call_command("migrate")
