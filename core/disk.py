"""Whether there is room to write. Below a floor new work stops, before the database has to.

A process that sees the folders of the database (`DISK_FOLDERS`) looks itself; all others learn it
from the error of a statement.
"""

import time
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from core.errors import DomainError
from core.free_space import floor_bytes, free_bytes
from core.problems import CONTENT_TYPE, problem

LOOK_SECONDS = 0.5
# How long the database's own word for it counts.
TOLD_SECONDS = 2.0
RETRY_AFTER_SECONDS = 5
DETAIL = (
    "The disk is full, so nothing can be written. What was acknowledged is kept, and can be read. "
    "Free space on the database's disk, then send the request again, with the same Idempotency-Key."
)


class DiskFull(DomainError):
    """There is no room; reading goes on."""

    status = 507

    def __init__(self) -> None:
        super().__init__("disk_full", DETAIL)
        self.retry_after = RETRY_AFTER_SECONDS


class Disk:
    """What this process knows."""

    def __init__(self) -> None:
        self.looked_at = self.told_at = float("-inf")
        self.was_full = False

    def is_full(self) -> bool:
        now = time.monotonic()
        if now - self.told_at < TOLD_SECONDS:
            return True
        if now - self.looked_at >= LOOK_SECONDS:
            self.looked_at, self.was_full = now, any(map(lacks_space, settings.DISK_FOLDERS))
        return self.was_full

    def note_full(self) -> None:
        """The database has said so."""
        self.told_at = time.monotonic()


def lacks_space(folder: str) -> bool:
    try:
        return free_bytes(Path(folder)) < floor_bytes(Path(folder), settings.DISK_FLOOR_MB)
    except OSError:
        return False


disk = Disk()


def require_space() -> None:
    """Raises DiskFull."""
    if disk.is_full():
        raise DiskFull


def disk_full_problem(request: HttpRequest) -> JsonResponse:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    body = problem(507, "disk_full", DETAIL)
    return JsonResponse(body, status=507, content_type=CONTENT_TYPE, headers=headers)
