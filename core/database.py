"""The database: reads as of one moment, and what its absence looks like."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, OperationalError, connection, transaction
from django.http import HttpRequest, JsonResponse

from core.problems import CONTENT_TYPE, problem

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2
DATABASE_AWAY = "database_away"
DETAIL = (
    "The database cannot be reached. Nothing that was acknowledged is lost. Send the request again "
    "in a moment, an unsafe one with the same Idempotency-Key."
)
# Connections broken, resources used up, shut down. Others, a deadlock for one, are ours to mend.
SQLSTATES = ("08", "53", "57P")


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


def is_database_away(error: BaseException | None) -> bool:
    """Whether it could not be reached, or was lost in the middle."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    # The client library has no code for a connection that it could not make, or lost.
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate is None or sqlstate.startswith(SQLSTATES)


def database_away_problem(request: HttpRequest, error: BaseException) -> JsonResponse:
    logger.warning("database away", extra={"path": request.path, "error": repr(error)})
    body = problem(503, DATABASE_AWAY, DETAIL)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return JsonResponse(body, status=503, content_type=CONTENT_TYPE, headers=headers)
