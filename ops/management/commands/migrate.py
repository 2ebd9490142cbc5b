"""`migrate` that gives way to running work: no request fails or waits for long because of it."""

import time
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.backends.postgresql.schema import DatabaseSchemaEditor

# Below PostgreSQL's `deadlock_timeout` of 1 s: in a deadlock the migration gives up first.
WAIT_MS = 500
PAUSE_SECONDS = 0.7
TRIES = 100
GAVE_WAY = {"55P03", "40P01"}  # lock_not_available, deadlock_detected


class LockTimeoutEditor(DatabaseSchemaEditor):
    """Limits the wait for locks in a transaction, which can be tried again as a whole."""

    def __enter__(self) -> DatabaseSchemaEditor:
        editor = super().__enter__()
        if self.atomic_migration:
            self.execute(f"SET LOCAL lock_timeout = {WAIT_MS}")
        return editor


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        connections[options["database"]].SchemaEditorClass = LockTimeoutEditor
        for _ in range(TRIES):
            try:
                return super().handle(*args, **options)
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", None) not in GAVE_WAY:
                    raise
            # Earlier migrations are kept: each is a transaction of its own.
            self.stderr.write("A table is in use. Nothing was changed; trying again.")
            time.sleep(PAUSE_SECONDS)
        raise CommandError(
            f"Another transaction keeps a table locked; gave up after {TRIES} tries. Finished "
            "migrations are kept. End that transaction, or migrate when there is less to do."
        )
