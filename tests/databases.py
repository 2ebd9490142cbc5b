"""Databases beside the one of the tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

END_OUR_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = %s AND usename = current_user
"""


@contextmanager
def own_database(prefix: str, *, is_migrated: bool = False) -> Iterator[str]:
    """The URL of an empty database, which is there as long as the context.

    A migrated one is a copy, where there is something to copy: `migrate` then finds nothing to do.
    """
    name = f"{prefix}_{uuid4().hex[:12]}"
    template = (is_migrated and os.environ.get("TESTS_TEMPLATE")) or "template1"
    given = os.environ["DATABASE_URL"]
    with psycopg.connect(given, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield urlsplit(given)._replace(path=f"/{name}").geturl()
        finally:
            drop_database(server, name)


def drop_database(server: psycopg.Connection, name: str) -> None:
    """Also one that autovacuum is at work in.

    `WITH (FORCE)` needs the right to end autovacuum's process, which our role has not; without it
    PostgreSQL ends that process itself. Connections of our own are ours to end.
    """
    server.execute(END_OUR_CONNECTIONS, [name])
    server.execute(f"DROP DATABASE {name}")
