"""A database that a test made goes away again, whatever the server is doing in it."""

import os
from collections.abc import Iterator

import psycopg
import pytest

from tests.databases import own_database, with_owner
from tests.live import eventually

pytestmark = pytest.mark.slow

# Enough for autovacuum to come, and so slow that it is still there afterwards.
BUSY = """
    CREATE TABLE busy WITH (autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)
    AS SELECT number, repeat('x', 500) FROM generate_series(1, 50000) AS number;
    UPDATE busy SET number = number + 1;
"""
VACUUMED = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = %s AND backend_type = 'autovacuum worker'
"""


@pytest.fixture
def server() -> Iterator[psycopg.Connection]:
    """As its superuser, who alone sees autovacuum, and with one that comes at once."""
    if not (superuser := os.environ.get("TESTS_SUPERUSER")):
        pytest.skip("only with the server that the tests start themselves")
    with psycopg.connect(superuser, dbname="postgres", autocommit=True) as server:
        server.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        server.execute("SELECT pg_reload_conf()")
        yield server
        server.execute("ALTER SYSTEM RESET autovacuum_naptime")
        server.execute("SELECT pg_reload_conf()")


def test_a_database_goes_while_autovacuum_is_in_it_and_a_connection_is_open(server):
    with own_database("vacuumed") as url:
        # The application may not make tables.
        connection = psycopg.connect(with_owner(url)["MIGRATION_DATABASE_URL"], autocommit=True)
        connection.execute(BUSY)
        name = connection.info.dbname
        eventually(lambda: server.execute(VACUUMED, [name]).fetchone()[0])

    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
