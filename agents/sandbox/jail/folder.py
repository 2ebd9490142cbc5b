"""The program's folder: filled, measured, and emptied, whatever the program made of it."""

import os
import uuid
from collections.abc import Mapping

BLOCK = 512
# Files that have no name and no descriptor: their size cannot be seen.
MAX_MAPPED = 8


def fill(folder: str, files: Mapping[str, bytes], owner: int | None = None) -> None:
    """Write the files, by relative path, into an empty folder."""
    for path, content in files.items():
        whole = os.path.join(folder, path)
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, "xb") as stream:
            stream.write(content)
    if owner is not None:
        give_away(folder, owner)


def give_away(folder: str, owner: int) -> None:
    """Make the unprivileged user the owner of a folder and of all in it."""
    for path, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            os.lchown(os.path.join(path, name), owner, owner)
    os.lchown(folder, owner, owner)


def empty(folder: str) -> None:
    """Remove all in it, also what is closed to its owner, and however deep. Nobody may race.

    What lies deeper is moved up first, so that no path grows long.
    """
    while names := os.listdir(folder):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path) or not os.path.isdir(path):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            with os.scandir(path) as entries:
                inner = [(e.path, e.is_dir(follow_symlinks=False)) for e in entries]
            for inner_path, is_folder in inner:
                if is_folder:
                    os.chmod(inner_path, 0o700)
                    os.rename(inner_path, os.path.join(folder, f"{uuid.uuid4()}"))
                else:
                    os.unlink(inner_path)
            os.rmdir(path)


class Usage:
    """What a folder, and files without a name that processes hold open, take on the disk."""

    def __init__(self, folder: str, *, megabytes: int, files: int) -> None:
        self.folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.device = os.fstat(self.folder).st_dev
        self.max_bytes, self.max_files = megabytes * 1024 * 1024, files

    def excess(self, pids: set[int]) -> str:
        """What is over the limit, or ''."""
        seen: dict[tuple[int, int], int] = {}
        if not self._add_folder(seen) or len(seen) > self.max_files:
            return f"more than {self.max_files} files and folders"
        mapped: set[bytes] = set()
        for pid in pids:
            self._add_open_files(pid, seen)
            mapped |= _nameless_mappings(pid)
        if len(mapped) > MAX_MAPPED:
            return f"more than {MAX_MAPPED} mapped files without a name"
        if sum(seen.values()) > self.max_bytes:
            return f"more than {self.max_bytes // 1024 // 1024} MiB"
        return ""

    def _add_folder(self, seen: dict[tuple[int, int], int]) -> bool:
        """Whether it was measured to its end. Never by path: the program may move things."""
        waiting = [os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.folder)]
        try:
            while waiting:
                descriptor = waiting.pop()
                try:
                    with os.scandir(descriptor) as entries:
                        names = [(e.name, e.is_dir(follow_symlinks=False)) for e in entries]
                    for name, is_folder in names:
                        if len(seen) > self.max_files or len(waiting) > 500:
                            return False
                        self._add(seen, descriptor, name)
                        if is_folder and (inner := _opened(descriptor, name)):
                            waiting.append(inner)
                finally:
                    os.close(descriptor)
        finally:
            for descriptor in waiting:
                os.close(descriptor)
        return True

    def _add(self, seen: dict[tuple[int, int], int], folder: int, name: str) -> None:
        try:
            facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return
        seen[facts.st_dev, facts.st_ino] = facts.st_blocks * BLOCK

    def _add_open_files(self, pid: int, seen: dict[tuple[int, int], int]) -> None:
        try:
            names = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            # It ended meanwhile.
            return
        for name in names:
            try:
                facts = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if facts.st_nlink == 0 and facts.st_dev == self.device:
                seen[facts.st_dev, facts.st_ino] = facts.st_blocks * BLOCK


def _nameless_mappings(pid: int) -> set[bytes]:
    """Device and inode of each removed file that a process maps."""
    try:
        with open(f"/proc/{pid}/maps", "rb") as stream:
            # Its shared anonymous memory looks like a removed file, and is none.
            return {
                b" ".join(line.split()[3:5])
                for line in stream
                if line.endswith(b"(deleted)\n") and b" /dev/zero (deleted)" not in line
            }
    except OSError:
        return set()


def _opened(folder: int, name: str) -> int | None:
    """A folder's descriptor, made readable where its owner had closed it; None if it is gone."""
    try:
        handle = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=folder)
    except OSError:
        return None
    try:
        path = f"/proc/self/fd/{handle}"
        if os.stat(path).st_mode & 0o500 != 0o500:
            os.chmod(path, 0o700)
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    finally:
        os.close(handle)
