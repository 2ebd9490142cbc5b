"""The database cannot be reached: a passing state, after which a request may be sent again."""

import logging

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse

from core.problems import CONTENT_TYPE, problem

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 2
CODE = "database_away"
DETAIL = (
    "The database cannot be reached. Nothing that was acknowledged is lost. Send the request again "
    "in a moment, an unsafe one with the same Idempotency-Key."
)
# Broken connections, exhausted resources, shutdown. Others, such as deadlocks, are our own bugs.
SQLSTATES = ("08", "53", "57P")


def is_database_away(error: BaseException | None) -> bool:
    """Whether it could not be reached, or was lost in the middle."""
    if isinstance(error, InterfaceError):
        return True
    if not isinstance(error, OperationalError):
        return False
    # The client library has no code for a connection that it could not make, or lost.
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate is None or sqlstate.startswith(SQLSTATES)


def database_away(request: HttpRequest, error: BaseException) -> JsonResponse:
    logger.warning("database away", extra={"path": request.path, "error": repr(error)})
    body = problem(503, CODE, DETAIL)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return JsonResponse(body, status=503, content_type=CONTENT_TYPE, headers=headers)
