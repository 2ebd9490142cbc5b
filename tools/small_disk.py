"""A disk that may be filled to the last byte, with a data folder of `manage.py up` on it."""

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.devserver.runtime import lock_path


class NoSmallDisk(Exception):
    """It needs root and the right to mount."""


@contextmanager
def small_disk(size: str) -> Iterator[Path]:
    """In memory. Raises NoSmallDisk."""
    folder = Path(tempfile.mkdtemp(prefix="paraph-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0711", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        folder.rmdir()
        raise NoSmallDisk
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def make_data_folder(disk: Path) -> Path:
    """With the servers' files on the same disk; started by root they would be elsewhere."""
    data, place = disk / "data", disk / "servers"
    data.mkdir(mode=0o700)
    place.mkdir(mode=0o711)
    (place / "belongs-to").write_text(str(data))
    (data / "servers").symlink_to(place)
    lock_path(data).touch(mode=0o600)
    return data


def fill(folder: Path, leave: int = 0) -> Path:
    """All that is free now, but for so much; again and again what becomes free meanwhile."""
    path = folder / "filler"
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            disk = os.statvfs(folder)
            free = disk.f_bavail * disk.f_frsize - leave
            if free <= 0:
                break
            file.write(b"\0" * min(free, 2**20))
    return path
