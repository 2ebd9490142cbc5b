"""Dump and restore of the database, by PostgreSQL's own programs."""

import os
import shutil
import subprocess
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from accounts.current_actor import current_actor
from audit.events import BACKUP_RESTORED
from audit.installation import INSTALLATION, record_installation
from audit.models import Stream
from audit.services import begin_epoch
from core.database import as_owner
from ops.devserver import DevServerError
from ops.devserver.binaries import postgres_program
from ops.events import BACKUP_MADE

# A backup holds everything that people wrote, and the hashes of their passwords.
PRIVATE = 0o600
# The environment variables of libpq by the name of the connection parameter.
LIBPQ_VARIABLES = {
    **{name: f"PG{name.upper()}" for name in ("host", "port", "user", "password", "service")},
    **{name: f"PG{name.upper()}" for name in ("sslmode", "sslrootcert", "sslcert", "sslkey")},
    "dbname": "PGDATABASE",
}
HAS_PROJECTS_TABLE = "SELECT to_regclass('projects') IS NOT NULL"
# A first start has made the administrator, and the log of the installation says so.
HAS_ROWS = """
    SELECT EXISTS (SELECT 1 FROM projects) OR EXISTS (SELECT 1 FROM event_log WHERE project <> %s)
"""
# Embeddings need an extension that a new database may not have, and can be computed again.
EXCLUDED_TABLE = "context_embeddings"
FORGET_SEMANTIC_MIGRATIONS = "DELETE FROM django_migrations WHERE app = 'semantic'"
SEMANTIC_SEARCH_IS_ON = (
    "Restore with SEMANTIC_SEARCH=false, because the extension is dropped with the old tables. "
    "Afterwards create it again (`make run` does, elsewhere CREATE EXTENSION vector), switch "
    "SEMANTIC_SEARCH on, and run `migrate` and `embed_texts`."
)
MAY_NOT_DROP = """
    SELECT nspowner::regrole::text FROM pg_namespace
    WHERE nspname = 'public' AND NOT pg_has_role(nspowner, 'USAGE')
"""
COUNT_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


class BackupError(Exception):
    """Dump or restore is not possible; the text says why and what to do."""


def dump(path: Path) -> None:
    """The whole database at one moment, while it is in use. The file appears when it is complete.

    Raises BackupError.
    """
    unfinished = path.with_name(path.name + ".part")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE))
        options = ["--format=custom", "--no-owner", "--no-privileges", "--schema=public"]
        options += [f"--exclude-table={EXCLUDED_TABLE}", f"--file={unfinished}"]
        _run("pg_dump", *options)
        unfinished.replace(path)
        record_installation(BACKUP_MADE, current_actor(), file=path.name)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def restore(path: Path) -> int:
    """Fill an empty database, migrate it, begin new epochs; returns the number of streams.

    Raises BackupError, also where the database holds projects: nothing is ever overwritten.
    """
    if not path.is_file():
        raise BackupError(f"{path} is not a file.")
    if settings.SEMANTIC_SEARCH:
        raise BackupError(SEMANTIC_SEARCH_IS_ON)
    _run("pg_restore", "--list", str(path))
    with as_owner():
        _replace_database(path)
        call_command("migrate", interactive=False, verbosity=0)
    with transaction.atomic():
        streams = begin_epoch()
        record_installation(BACKUP_RESTORED, current_actor(), streams=streams, file=path.name)
    # With the log of the installation, which may begin with this.
    return Stream.objects.count()


def _replace_database(path: Path) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # The tables of a first start may go while they hold no project; nothing else may.
        cursor.execute(COUNT_TABLES)
        if cursor.fetchone()[0]:
            cursor.execute(HAS_PROJECTS_TABLE)
            if not cursor.fetchone()[0]:
                raise BackupError(
                    "The database holds tables of another program. Use another database."
                )
            cursor.execute(HAS_ROWS, [INSTALLATION])
            if cursor.fetchone()[0]:
                raise BackupError("The database holds projects. Restore into an empty one.")
        cursor.execute(MAY_NOT_DROP)
        if row := cursor.fetchone():
            raise BackupError(
                f"The schema belongs to {row[0]}. Let MIGRATION_DATABASE_URL name who owns the "
                "database."
            )
        # The dump creates the schema itself.
        cursor.execute("DROP SCHEMA public CASCADE")
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    _run("pg_restore", *options, f"--dbname={connection.settings_dict['NAME']}", str(path))
    with connection.cursor() as cursor:
        cursor.execute(FORGET_SEMANTIC_MIGRATIONS)


def _run(name: str, *arguments: str) -> None:
    parameters = connection.get_connection_params()
    # Not among the arguments, which every user of the machine can see.
    variables = {
        variable: str(parameters[parameter])
        for parameter, variable in LIBPQ_VARIABLES.items()
        if parameters.get(parameter)
    }
    result = subprocess.run(
        [_program(name), *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise BackupError(f"{name}: {result.stderr.strip()[-2000:]}")


def _program(name: str) -> str:
    """The one from the wheel, which is as new as the embedded server, or the system's."""
    try:
        return postgres_program(name, None)
    except DevServerError:
        program = shutil.which(name)
    if program is None:
        raise BackupError(f"{name} is not installed. Install PostgreSQL's client programs.")
    return program
