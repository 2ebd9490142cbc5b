"""Whether there is room to write. Below a floor new work stops, before the database has to.

A process that sees the folders of the database (`DISK_FOLDERS`) looks itself; all others learn it
from the error of a statement. A reserve, where there is one, is a file that is removed when it gets
tight, so that what is needed for the way back has room. It counts as free.
"""

import os
import time
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, JsonResponse

from core.errors import DomainError
from core.problems import CONTENT_TYPE, problem

RESERVE_NAME = "disk-reserve"
# On a small disk the floor is this part of it.
FLOOR_SHARE = 0.1
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


def free_bytes(folder: Path) -> int:
    """With what the reserve holds. Raises OSError where there is no such folder."""
    disk = os.statvfs(folder)
    try:
        reserve = os.stat(folder / RESERVE_NAME).st_blocks * 512
    except OSError:
        reserve = 0
    return disk.f_bavail * disk.f_frsize + reserve


def floor_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return int(min(settings.DISK_FLOOR_MB * 2**20, disk.f_blocks * disk.f_frsize * FLOOR_SHARE))


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
        return free_bytes(Path(folder)) < floor_bytes(Path(folder))
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
