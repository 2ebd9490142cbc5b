"""The machine goes back to an older backup, and clients know more than it does."""

import os
import subprocess
import time
from pathlib import Path

import psycopg
from django.core.management import call_command
from django.db import connection

from audit.models import Stream
from ops.devserver.binaries import postgres_program
from tools.chaos.book import case
from tools.chaos.cases.servers import CUT
from tools.chaos.run import Run
from tools.chaos.stack import WEBS, WORKERS

PROGRAMS = (*WEBS, "scheduler", *WORKERS)
MOMENT_SECONDS = 1.5


@case(last=True)
def older_backup_restored(run: Run) -> None:
    """A dump of a running machine is put back after more work was done; listeners start anew."""
    run.begin(4)
    run.decide()
    run.some_progress(0.2)
    dump = run.crowd.histories.folder / "older.dump"
    dumped_at = time.time()
    _program(run, "pg_dump", "--format=custom", f"--file={dump}", run.stack.postgres.url)
    run.some_progress(0.5)
    before = dict(Stream.objects.values_list("project", "epoch"))
    for name in PROGRAMS:
        run.stack.hold(name)
        run.stack.kill(name)
    _put_back(run, dump)
    call_command("begin_epoch", verbosity=0)
    run.crowd.histories.note("restores", dumped_at=dumped_at - MOMENT_SECONDS)
    for name in PROGRAMS:
        run.stack.release(name)
    run.probe("work goes on after an older backup was put back")
    after = dict(Stream.objects.filter(project__in=before).values_list("project", "epoch"))
    assert after, "the backup has no stream"  # noqa: S101
    assert not set(after.values()) & set(before.values()), "an epoch goes on"  # noqa: S101


def _put_back(run: Run, dump: Path) -> None:
    connection.close()
    postgres = run.stack.postgres
    with psycopg.connect(postgres.url, dbname="postgres", autocommit=True) as application:
        application.execute(CUT)
    # The owner may create databases, and drops its own from beside it.
    with psycopg.connect(postgres.owner_url, dbname="postgres", autocommit=True) as server:
        # Not WITH (FORCE): autovacuum, if it is at work here, is not the role's to end.
        server.execute(CUT)
        server.execute(f"DROP DATABASE {postgres.database}")
        server.execute(f"CREATE DATABASE {postgres.database}")
    _program(run, "pg_restore", f"--dbname={postgres.owner_url}", "--no-owner", str(dump))


def _program(run: Run, name: str, *arguments: str) -> None:
    program = postgres_program(name, None)  # as ourselves: the file is ours
    subprocess.run([program, *arguments], check=True, env=os.environ, timeout=120)
