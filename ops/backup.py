"""Dump and restore of the database, by PostgreSQL's own programs."""

import os
import shutil
import subprocess
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from audit.services import begin_epoch
from ops.devserver import DevServerError
from ops.devserver.binaries import postgres_program

# A backup holds everything that everybody wrote, and the hashes of passwords.
PRIVATE = 0o600
# What libpq reads from its environment, by the names that its connections have for it.
OF_LIBPQ = {
    **{name: f"PG{name.upper()}" for name in ("host", "port", "user", "password", "service")},
    **{name: f"PG{name.upper()}" for name in ("sslmode", "sslrootcert", "sslcert", "sslkey")},
    "dbname": "PGDATABASE",
}
OURS = "SELECT to_regclass('projects') IS NOT NULL"
HOLDS_SOMETHING = "SELECT EXISTS (SELECT 1 FROM projects) OR EXISTS (SELECT 1 FROM event_log)"
# They need an extension, which a new database may not have, and can be made again.
LEFT_OUT = "context_embeddings"
MAKE_AGAIN = "DELETE FROM django_migrations WHERE app = 'semantic'"
OFF_MEANWHILE = (
    "Restore with SEMANTIC_SEARCH=false: the extension goes with the old tables. Then make it anew "
    "(a new start of `make run` does, elsewhere CREATE EXTENSION vector), switch on, and run "
    "`migrate` and `embed_texts`."
)
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


class BackupError(Exception):
    """It could not be done; the text says why and what to do."""


def dump(path: Path) -> None:
    """All of the database as of one moment, while it is in use. The file appears when it is whole.

    Raises BackupError.
    """
    unfinished = path.with_name(path.name + ".part")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE))
        own = ["--format=custom", "--no-owner", "--no-privileges", "--schema=public"]
        _run("pg_dump", *own, f"--exclude-table={LEFT_OUT}", f"--file={unfinished}")
        unfinished.replace(path)
    except OSError as error:
        raise BackupError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def restore(path: Path) -> int:
    """Fill an empty database, bring it up to date, begin new epochs. How many streams there are.

    Raises BackupError, also where the database holds projects: nothing is ever overwritten.
    """
    if not path.is_file():
        raise BackupError(f"{path} is not a file.")
    if settings.SEMANTIC_SEARCH:
        raise BackupError(OFF_MEANWHILE)
    _run("pg_restore", "--list", str(path))
    _make_empty()
    own = ["--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"]
    _run("pg_restore", *own, f"--dbname={connection.settings_dict['NAME']}", str(path))
    with connection.cursor() as cursor:
        cursor.execute(MAKE_AGAIN)
    call_command("migrate", interactive=False, verbosity=0)
    return begin_epoch()


@transaction.atomic
def _make_empty() -> None:
    """What a first start has made, tables without a project, may go; nothing else."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        if cursor.fetchone()[0]:
            cursor.execute(OURS)
            if not cursor.fetchone()[0]:
                raise BackupError("The database holds tables that are not ours. Take another one.")
            cursor.execute(HOLDS_SOMETHING)
            if cursor.fetchone()[0]:
                raise BackupError("The database holds projects. Restore into an empty one.")
        # The dump makes the schema itself.
        cursor.execute("DROP SCHEMA public CASCADE")


def _run(name: str, *arguments: str) -> None:
    done = subprocess.run(
        [_program(name), *arguments],
        env=os.environ | _environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BackupError(f"{name}: {done.stderr.strip()[-2000:]}")


def _program(name: str) -> str:
    """That of the wheel, which is as new as our server; else that of the system."""
    try:
        return postgres_program(name, None)
    except DevServerError:
        found = shutil.which(name)
    if found is None:
        raise BackupError(f"There is no {name} here. Install PostgreSQL's client programs.")
    return found


def _environment() -> dict[str, str]:
    """How to connect; not among the arguments, which every user of the machine can see."""
    given = connection.get_connection_params()
    return {OF_LIBPQ[name]: str(given[name]) for name in OF_LIBPQ if given.get(name)}
