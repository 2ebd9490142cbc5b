"""The data folder: its lock, its secrets, and where each server keeps its files."""

import fcntl
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from ops.devserver import DevServerError
from ops.devserver.binaries import SYSTEM_DIR, Account, server_account
from ops.devserver.processes import PidFile, end_holders
from ops.devserver.runtime import lock_path, write_private

# Linux allows 107 characters, macOS 103; the socket's own file name takes 15 of them.
SOCKET_DIR_LIMIT = 85
# Another command takes the lock for a moment, to see whether `up` is running.
LOCK_SECONDS = 1


@dataclass
class DataDir:
    """Open it with `open_data_dir`; it stays locked until `close`."""

    path: Path
    account: Account | None
    lock: IO[str] = field(repr=False)
    pid_file: PidFile = field(repr=False)
    # Shared by all processes that were started on this folder, and so held as long as one lives.
    children_lock: IO[str] = field(repr=False)
    system_dir: Path = SYSTEM_DIR

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @property
    def logs(self) -> Path:
        return private_dir(self.path / "logs")

    @property
    def heartbeats(self) -> Path:
        return private_dir(self.path / "heartbeats")

    def metrics(self) -> Path:
        """Emptied at each start: the counters of ended processes do not go on."""
        folder = private_dir(self.path / "metrics")
        for file in folder.glob("*.db"):
            file.unlink()
        return folder

    def secret(self, name: str) -> str:
        """Generated at first use, then always the same."""
        path = self.path / "secrets.json"
        values = json.loads(path.read_text()) if path.exists() else {}
        if name not in values:
            values[name] = secrets.token_urlsafe(48)
            write_private(path, json.dumps(values, indent=2))
        return values[name]

    def write_for_server(self, path: Path, content: str) -> None:
        owner = (self.account.uid, self.account.gid) if self.account else None
        write_private(path, content, owner=owner)

    def server_dir(self, name: str) -> Path:
        """A folder that only the account of the embedded servers can enter."""
        return private_dir(self._servers_dir() / name, owner=self.account)

    def socket_dir(self) -> Path:
        if len(os.fsencode(self._servers_dir() / "run")) <= SOCKET_DIR_LIMIT:
            return self.server_dir("run")
        record = self.path / "socket-dir"
        if record.exists() and is_private(Path(record.read_text()), self.account):
            return Path(record.read_text())
        fresh = Path(tempfile.mkdtemp(prefix="paraph-", dir="/tmp"))
        _give(fresh, self.account)
        write_private(record, str(fresh))
        return fresh

    def close(self) -> None:
        self.children_lock.close()
        self.lock.close()

    def _servers_dir(self) -> Path:
        """`servers` in the data folder; as root a link to where the servers' account may go."""
        link = self.path / "servers"
        if link.is_symlink():
            return self.linked_servers_dir(link)
        if self.account is None or link.exists():
            return private_dir(link)
        if not self.system_dir.exists():
            self.system_dir.mkdir(mode=0o711, parents=True)
            self.system_dir.chmod(0o711)
        target = Path(tempfile.mkdtemp(prefix="data-", dir=self.system_dir))
        target.chmod(0o711)
        (target / "belongs-to").write_text(str(self.path))
        link.symlink_to(target)
        return target

    def linked_servers_dir(self, link: Path) -> Path:
        """Raises DevServerError where it is gone, or belongs to another data folder."""
        target = link.readlink()
        if not target.is_dir():
            raise DevServerError(
                f"The database of {self.path} was kept in {target}, which is gone. Bring that "
                f"folder back; or, to start with an empty database, remove {link}."
            )
        claim = target / "belongs-to"
        owner = Path(claim.read_text())
        if owner != self.path:
            # A data folder may be moved. After a copy, two would share one database.
            other_link = owner / "servers"
            if other_link.is_symlink() and other_link.readlink() == target:
                raise DevServerError(
                    f"{self.path} is a copy of {owner}, and both name the database in {target}. "
                    f"To start this copy with an empty database, remove {link}."
                )
            claim.write_text(str(self.path))
        return target


def open_data_dir(
    path: Path | str,
    *,
    system_dir: Path = SYSTEM_DIR,
    report: Callable[[str], None] = lambda text: None,
) -> DataDir:
    """Creates the folder if needed, locks it, and ends what a killed run left running on it.

    Raises DevServerError when the folder is in use or cannot be used.
    """
    path = Path(path).expanduser().absolute()
    account = server_account()
    try:
        check_folder(path)
        lock = acquire_lock(path)
    except PermissionError as error:
        raise DevServerError(
            f"You may not write to the data folder {path} ({error.strerror}: {error.filename}). "
            "Choose another one with --data-dir (make run DATA_DIR=...)."
        ) from error
    except OSError as error:
        raise DevServerError(f"{path} cannot be the data folder: {error.strerror}.") from error
    pid_file = PidFile(path / "processes.json")
    pid_file.end_leftovers(path, report)
    children_lock = (path / "children.lock").open("a")
    os.fchmod(children_lock.fileno(), 0o600)
    end_holders(children_lock, report)
    return DataDir(path, account, lock, pid_file, children_lock, system_dir)


def private_dir(path: Path, *, owner: Account | None = None) -> Path:
    """Creates a folder with mode 0700; an existing one is left as it is."""
    if not path.exists():
        path.mkdir(mode=0o700)
        _give(path, owner)
    return path


def _give(path: Path, owner: Account | None) -> None:
    path.chmod(0o700)
    if owner:
        os.chown(path, owner.uid, owner.gid)


def is_private(path: Path, owner: Account | None) -> bool:
    """In /tmp anybody may have put something else in its place."""
    try:
        status = path.lstat()
    except OSError:
        return False
    uid = owner.uid if owner else os.geteuid()
    return path.is_dir() and status.st_uid == uid and status.st_mode & 0o777 == 0o700


def check_folder(path: Path) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        private_dir(path)
    if not path.is_dir():
        raise DevServerError(f"{path} is not a folder. Choose another --data-dir.")
    names = [entry.name for entry in path.iterdir() if entry.name != "lost+found"]
    if not lock_path(path).exists() and any(not name.startswith(".") for name in names):
        raise DevServerError(
            f"{path} is neither empty nor a data folder made by this command. Choose another "
            "--data-dir, so that nothing of yours gets mixed up with the database."
        )


def acquire_lock(path: Path) -> IO[str]:
    """Child processes do not inherit it: it ends with this process, however that ends."""
    descriptor = os.open(lock_path(path), os.O_RDWR | os.O_CREAT, 0o600)
    lock = os.fdopen(descriptor, "r+")
    if os.fstat(descriptor).st_uid != os.geteuid():
        raise DevServerError(f"{path} was made by another user. Choose another --data-dir.")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                lock.seek(0)
                raise DevServerError(
                    f"Paraph is running already on the data folder {path} (process "
                    f"{lock.read()}). Stop that one first, or choose another folder with "
                    "--data-dir (make run DATA_DIR=...)."
                ) from None
            time.sleep(0.05)
    lock.seek(0)
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
