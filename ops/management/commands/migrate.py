"""`migrate` that gives way to running work: it never makes a request fail, nor wait for long."""

import time
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.backends.postgresql.schema import DatabaseSchemaEditor

# Below PostgreSQL's `deadlock_timeout` of 1 s: of two that wait for each other we go first.
WAIT_MS = 500
PAUSE_SECONDS = 0.7
TRIES = 100
GAVE_WAY = {"55P03", "40P01"}  # lock_not_available, deadlock_detected


class Polite(DatabaseSchemaEditor):
    """Only in a transaction, which can begin again: others, as for an index, have to wait."""

    def __enter__(self) -> DatabaseSchemaEditor:
        editor = super().__enter__()
        if self.atomic_migration:
            self.execute(f"SET LOCAL lock_timeout = {WAIT_MS}")
        return editor


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connections[options["database"]].SchemaEditorClass = Polite
        for _ in range(TRIES):
            try:
                return super().handle(*args, **options)
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", None) not in GAVE_WAY:
                    raise
            # What was done is kept: each migration is a transaction of its own.
            self.stderr.write("A table is in use; nothing is changed, and it is tried again.")
            time.sleep(PAUSE_SECONDS)
        raise CommandError(
            f"Some transaction holds a table all the time; gave up after {TRIES} tries. "
            "What is done is kept: end that transaction, or migrate at a calmer hour."
        )
