"""How much space a disk has. A reserve, where there is one, is a file that is removed when it gets
tight, so that what is needed for the way back has room: it counts as free.
"""

import os
from pathlib import Path

RESERVE_NAME = "disk-reserve"
# On a small disk the floor is this part of it.
FLOOR_SHARE = 0.1


def free_bytes(folder: Path) -> int:
    """With what the reserve holds. Raises OSError where there is no such folder."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize + held_bytes(folder / RESERVE_NAME)


def held_bytes(reserve: Path) -> int:
    try:
        return os.stat(reserve).st_blocks * 512
    except OSError:
        return 0


def floor_bytes(folder: Path, floor_mb: int) -> int:
    disk = os.statvfs(folder)
    return int(min(floor_mb * 2**20, disk.f_blocks * disk.f_frsize * FLOOR_SHARE))
