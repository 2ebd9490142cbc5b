"""Space for the way back: a file that is removed when its disk is all but full, then made again.

What writes is stopped well before (`core.disk`); this is for when others write on.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from core.free_space import RESERVE_NAME, floor_bytes, free_bytes, held_bytes


class Reserve:
    """On the disk of each of these folders, half as large as the floor of free space."""

    def __init__(
        self, folders: Iterable[Path], floor_mb: int, report: Callable[[str], None]
    ) -> None:
        self.folders = list({os.stat(folder).st_dev: folder for folder in folders}.values())
        self.floor_mb, self.report = floor_mb, report
        self.is_full = False

    def tend(self) -> bool:
        """Whether there is space again."""
        was_full, full = self.is_full, [folder for folder in self.folders if self._tend(folder)]
        self.is_full = bool(full)
        if full and not was_full:
            self.report(f"The disk of {full[0]} is full; nothing new is written or begun.")
        if was_full and not full:
            self.report("There is space on the disk again, and work goes on.")
        return was_full and not full

    def _tend(self, folder: Path) -> bool:
        """Whether it is full."""
        file, floor = folder / RESERVE_NAME, floor_bytes(folder, self.floor_mb)
        free, held = free_bytes(folder), held_bytes(file)
        if held and free - held < floor // 4:
            file.unlink()
        elif not held and free >= 2 * floor:
            allocate(file, floor // 2)
        return free < floor


def allocate(file: Path, size: int) -> None:
    """As a whole or not at all; a file that is full of holes would hold nothing."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:
            os.write(descriptor, bytes(size))
    except OSError:
        file.unlink()
    finally:
        os.close(descriptor)
