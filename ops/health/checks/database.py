import psycopg
from django.db import DatabaseError, connection

from ops.health.check import Finding, check


@check("database", order=1, is_required=True)
def check_database() -> Finding:
    """By a connection of its own: a pool that is used up is not a database that is away."""
    try:
        with connection.Database.connect(
            **connection.get_connection_params(), autocommit=True
        ) as own:
            own.execute("SELECT 1")
    except psycopg.Error as error:
        raise DatabaseError(str(error)) from error
    return Finding()
