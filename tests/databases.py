"""Databases beside the one of the tests, and what only the owner of a database may do."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from django.db import connection as application

from ops.database_roles import grant_rights

END_OUR_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = %s AND usename = current_user
"""
_administrators: dict[str, psycopg.Connection] = {}


@contextmanager
def own_database(prefix: str, *, is_migrated: bool = False) -> Iterator[str]:
    """The application's URL of an empty database, which is there as long as the context.

    What migrates it needs `with_owner`. A migrated one is a copy, where there is something to copy:
    `migrate` then finds nothing to do.
    """
    name = f"{prefix}_{uuid4().hex[:12]}"
    template = (is_migrated and os.environ.get("TESTS_TEMPLATE")) or "template1"
    with psycopg.connect(os.environ["TESTS_OWNER_URL"], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield url_of(os.environ["DATABASE_URL"], name)
        finally:
            drop_database(server, name)


def grant_only(command: str, **options: Any) -> None:
    """In place of `call_command` for a database that is a copy: what belongs to the database."""
    if command == "migrate":
        application.ensure_connection()
        user, owner = urlsplit(os.environ["DATABASE_URL"]).username, application.settings_dict
        grant_rights(application.connection, application=user, owner=owner["USER"])


def drop_database(server: psycopg.Connection, name: str) -> None:
    """Also one that autovacuum is at work in.

    `WITH (FORCE)` needs the right to end autovacuum's process, which our role has not; without it
    PostgreSQL ends that process itself. Connections of our own are ours to end.
    """
    server.execute(END_OUR_CONNECTIONS, [name])
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(END_OUR_CONNECTIONS, [name])
    server.execute(f"DROP DATABASE {name}")


def url_of(url: str, database: str) -> str:
    return urlsplit(url)._replace(path=f"/{database}").geturl()


def with_owner(database_url: str) -> dict[str, str]:
    """The variables of a process that migrates this database."""
    database = urlsplit(database_url).path.removeprefix("/")
    owner = url_of(os.environ["TESTS_OWNER_URL"], database)
    return {"DATABASE_URL": database_url, "MIGRATION_DATABASE_URL": owner}


def administrator() -> psycopg.Connection:
    """The owner's own connection to the database of the tests; it commits each statement.

    It sees only what is committed: a test that needs it has `transaction=True`, or else the mark
    `administrator`, with which it is the owner itself.
    """
    name = application.settings_dict["NAME"]
    if (kept := _administrators.get(name)) is None or kept.closed:
        url = url_of(os.environ["TESTS_OWNER_URL"], name)
        _administrators[name] = kept = psycopg.connect(url, autocommit=True)
    return kept


def close_administrators() -> None:
    while _administrators:
        _administrators.popitem()[1].close()
