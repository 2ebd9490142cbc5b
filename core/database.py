"""The database: its connections, reads as of one moment, and what its absence looks like."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.conf import settings
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    transaction,
)

from core.postgresql.connection import silence

logger = logging.getLogger(__name__)
T = TypeVar("T")

# How long a request listens to a silent database, and how long a worker does. Whoever hangs up
# asks the server once more before, which takes another second.
SHORT_SILENCE_SECONDS, LONG_SILENCE_SECONDS = 2.0, 30.0
RETRY_AFTER_SECONDS = 2
RETRY_SECONDS = 0.2
DATABASE_AWAY = "database_away"
DETAIL = (
    "The database cannot be reached. Nothing that was acknowledged is lost. Send the request again "
    "in a moment, an unsafe one with the same Idempotency-Key."
)
# Connections broken, resources used up, shut down. Others, a deadlock for one, are ours to mend.
SQLSTATES = ("08", "53", "57P")
DISK_FULL = "53100"


def limit_silence(seconds: float | None) -> None:
    """Of the server, on connections of this process. Migrations and commands wait for ever."""
    silence.seconds = seconds


@contextmanager
def consistent_snapshot() -> Iterator[None]:
    """All reads inside see one state of the database; in a transaction, that one's state."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@contextmanager
def as_owner() -> Iterator[None]:
    """This thread's connection is that of who owns the tables, where that is a role of its own.

    A connection of its own, not SET ROLE: what was put on could be taken off again.
    """
    database, owner = connections[DEFAULT_DB_ALIAS], settings.MIGRATION_DATABASE
    before = database.settings_dict
    if owner is None or owner["USER"] == before["USER"]:
        yield
        return
    database.close()
    kept = ("connect_timeout", "server_side_binding", "prepare_threshold")
    options = {name: before["OPTIONS"][name] for name in kept if name in before["OPTIONS"]}
    login = {name: owner[name] for name in ("USER", "PASSWORD", "HOST", "PORT")}
    database.settings_dict = before | login | {"OPTIONS": options | owner["OPTIONS"]}
    try:
        yield
    finally:
        database.close()
        # Who made a database for tests has named it meanwhile.
        before["NAME"] = database.settings_dict["NAME"]
        database.settings_dict = before


def share_connections(**pool: Any) -> None:
    """From now on the threads of this process take their connections from a pool."""
    connections.close_all()
    database = connections.settings[DEFAULT_DB_ALIAS]
    database["CONN_MAX_AGE"] = 0
    # A look at each connection that is taken would cost a round trip each time; what is broken is
    # found when it is used: see `until_database_is_back`.
    database["CONN_HEALTH_CHECKS"] = False
    database["OPTIONS"]["pool"] = pool


def use_connection_outside_pool() -> None:
    """In this thread, whose work must not wait until others give back a connection."""
    own = dict(connection.settings_dict)
    own["OPTIONS"] = {name: value for name, value in own["OPTIONS"].items() if name != "pool"}
    connections[DEFAULT_DB_ALIAS] = type(connections[DEFAULT_DB_ALIAS])(own, DEFAULT_DB_ALIAS)


def release_connection() -> None:
    """Give this thread's connection back to the pool, if there is one, before a long wait."""
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()


def until_database_is_back(action: Callable[[], T], *, seconds: float) -> T:
    """Its result; repeated for so long while the database is away or full, or connections broken.

    Only for what may be done twice, for the first time may have been committed.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except (InterfaceError, OperationalError) as error:
            is_passing = is_database_away(error) or is_disk_full(error)
            if not is_passing or time.monotonic() > deadline:
                raise
            logger.warning("database away", extra={"error": repr(error)})
            connection.close()
            if connection.settings_dict["OPTIONS"].get("pool"):
                # All of the pool that do not answer go, too.
                connection.pool.check()
            time.sleep(RETRY_SECONDS)


def is_database_away(error: BaseException | None) -> bool:
    """Whether it could not be reached, or was lost in the middle."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    # The client library has no code for a connection that it could not make, or lost.
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate is None or (sqlstate.startswith(SQLSTATES) and sqlstate != DISK_FULL)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether the database had no room for it."""
    return getattr(getattr(error, "__cause__", None), "sqlstate", None) == DISK_FULL
