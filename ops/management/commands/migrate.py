"""`migrate` that gives way to running work: no request fails or waits for long because of it.

It works as the owner of the tables, and then says what the application may do with them.
"""

import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.schema import DatabaseSchemaEditor
from django.db.migrations.state import ProjectState

from core.database import as_owner
from ops.database_roles import grant_rights

# Below PostgreSQL's `deadlock_timeout` of 1 s: in a deadlock the migration gives up first.
WAIT_MS = 500
PAUSE_SECONDS = 0.7
TRIES = 100
GAVE_WAY = {"55P03", "40P01"}  # lock_not_available, deadlock_detected
OWNER = """
    SELECT tableowner FROM pg_tables
    WHERE schemaname = 'public' AND tablename = 'django_migrations'
        AND NOT pg_has_role(tableowner, 'USAGE')
"""


class LockTimeoutEditor(DatabaseSchemaEditor):
    """Limits the wait for locks in a transaction, which can be tried again as a whole."""

    def __enter__(self) -> DatabaseSchemaEditor:
        editor = super().__enter__()
        if self.atomic_migration:
            self.execute(f"SET LOCAL lock_timeout = {WAIT_MS}")
        return editor


def reload_alone(state: ProjectState, app: str, model: str, delay: bool = False) -> set[Any]:
    """An index, a constraint or a plain field changes no other model than its own.

    For those (`delay`) Django makes all that are related anew as well, most of what a first
    `migrate` takes. Before a `RunPython`, which may ask for any, it makes all of them anew.
    """
    if not delay:
        return find_related(state, app, model)
    state.is_delayed = True
    return {(app, model)}


find_related = ProjectState._find_reload_model


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if options["check_unapplied"] or options["plan"]:
            return super().handle(*args, **options)
        application = settings.DATABASES[options["database"]]["USER"]
        with as_owner():
            connection = connections[options["database"]]
            refuse_others(connection)
            self.migrate(connection, *args, **options)
            owner = connection.settings_dict["USER"]
            if owner != application:
                connection.ensure_connection()
                grant_rights(connection.connection, application=application, owner=owner)
        return None

    def migrate(self, connection: BaseDatabaseWrapper, *args: Any, **options: Any) -> None:
        connection.SchemaEditorClass = LockTimeoutEditor
        ProjectState._find_reload_model = reload_alone
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


def refuse_others(connection: BaseDatabaseWrapper) -> None:
    """Raises CommandError for a role that does not own the tables which are there."""
    with connection.cursor() as cursor:
        cursor.execute(OWNER)
        row = cursor.fetchone()
    if row:
        raise CommandError(
            f"The tables belong to {row[0]}, and {connection.settings_dict['USER']} may not change "
            "them. Let MIGRATION_DATABASE_URL name their owner; where an earlier release made "
            "them, `manage.py database_roles` hands them over. docs/deployment.md says more."
        )
