"""The data folder: who holds it, what is secret in it, where each server keeps its files."""

import fcntl
import json
import os
import secrets
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

from ops.devserver import LocalError
from ops.devserver.accounts import Account, server_account
from ops.devserver.runtime import lock_path, write_private
from ops.devserver.software import SYSTEM_DIR

# Linux allows 107 characters, macOS 103; the socket's own file name takes 15 of them.
SOCKET_DIR_LIMIT = 85
PREVIOUS_RUN_SECONDS = 60


@dataclass
class DataFolder:
    """Open it with `open_data_folder`; it is held until `close`."""

    path: Path
    account: Account | None
    lock: IO[str] = field(repr=False)
    places_dir: Path = SYSTEM_DIR

    @property
    def logs(self) -> Path:
        return private_dir(self.path / "logs")

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def metrics(self) -> Path:
        """Empty at each start: what ended processes have counted began anew with them."""
        folder = private_dir(self.path / "metrics")
        for file in folder.glob("*.db"):
            file.unlink()
        return folder

    def server_dir(self, name: str) -> Path:
        """A folder that only the account of the embedded servers can enter."""
        return private_dir(self._place() / name, owner=self.account)

    def socket_dir(self) -> Path:
        usual = self._place() / "run"
        if len(os.fsencode(usual)) <= SOCKET_DIR_LIMIT:
            return self.server_dir("run")
        return self._short_socket_dir()

    def secret(self, name: str) -> str:
        """Made at first use, then always the same."""
        path = self.path / "secrets.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        if name not in known:
            known[name] = secrets.token_urlsafe(48)
            write_private(path, json.dumps(known, indent=2))
        return known[name]

    def write_for_server(self, path: Path, content: str) -> None:
        write_private(path, content, owner=self.account.ids if self.account else None)

    def close(self) -> None:
        self.lock.close()

    def _place(self) -> Path:
        """`servers` in the data folder; as root a link to where the servers' account may go."""
        link = self.path / "servers"
        if link.is_symlink():
            return self._linked_place(link)
        if self.account is None or link.exists():
            return private_dir(link)
        return self._new_place(link)

    def _new_place(self, link: Path) -> Path:
        home = self.places_dir
        if not home.exists():
            home.mkdir(mode=0o711, parents=True)
            home.chmod(0o711)
        place = Path(tempfile.mkdtemp(prefix="data-", dir=home))
        place.chmod(0o711)
        (place / "belongs-to").write_text(str(self.path))
        link.symlink_to(place)
        return place

    def _linked_place(self, link: Path) -> Path:
        place = link.readlink()
        if not place.is_dir():
            raise LocalError(
                f"The database of {self.path} was kept in {place}, which is gone. Bring that "
                f"folder back; or, to start with an empty database, remove {link}."
            )
        claim = place / "belongs-to"
        owner = Path(claim.read_text())
        if owner != self.path:
            self._take_over(place, owner, link)
            claim.write_text(str(self.path))
        return place

    def _take_over(self, place: Path, owner: Path, link: Path) -> None:
        """The data folder was moved: fine. It was copied: two would share one database."""
        theirs = owner / "servers"
        if theirs.is_symlink() and theirs.readlink() == place:
            raise LocalError(
                f"{self.path} is a copy of {owner}, and both name the database in {place}. To "
                f"start this copy with an empty database, remove {link}."
            )

    def _short_socket_dir(self) -> Path:
        record = self.path / "socket-dir"
        known = Path(record.read_text()) if record.exists() else None
        if known and _is_private(known, self.account):
            return known
        fresh = Path(tempfile.mkdtemp(prefix="countersign-", dir="/tmp"))
        _give(fresh, self.account)
        write_private(record, str(fresh))
        return fresh


def open_data_folder(path: Path | str, *, places_dir: Path = SYSTEM_DIR) -> DataFolder:
    """Makes the folder where it is missing, and holds it. Raises LocalError when it cannot."""
    path = Path(path).expanduser().absolute()
    account = server_account()
    try:
        return DataFolder(_checked(path), account, _held(path), places_dir)
    except PermissionError as error:
        raise LocalError(
            f"You may not write to the data folder {path} ({error.strerror}: {error.filename}). "
            "Choose another one with --data-dir (make run DATA_DIR=...)."
        ) from error
    except OSError as error:
        raise LocalError(f"{path} cannot be the data folder: {error.strerror}.") from error


def private_dir(path: Path, *, owner: Account | None = None) -> Path:
    """A folder of ours with mode 0700; one that exists is left as it is."""
    if not path.exists():
        path.mkdir(mode=0o700)
        _give(path, owner)
    return path


def _give(path: Path, owner: Account | None) -> None:
    path.chmod(0o700)
    if owner:
        os.chown(path, *owner.ids)


def _is_private(path: Path, owner: Account | None) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    uid = owner.uid if owner else os.geteuid()
    return path.is_dir() and status.st_uid == uid and status.st_mode & 0o777 == 0o700


def _checked(path: Path) -> Path:
    if path.exists() and not path.is_dir():
        raise LocalError(f"{path} is not a folder. Choose another --data-dir.")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return private_dir(path)
    if not lock_path(path).exists() and any(_foreign(path)):
        raise LocalError(
            f"{path} is neither empty nor a data folder made by this command. Choose another "
            "--data-dir, so that nothing of yours gets mixed up with the database."
        )
    return path


def _foreign(path: Path) -> list[str]:
    return [
        entry.name
        for entry in path.iterdir()
        if not entry.name.startswith(".") and entry.name != "lost+found"
    ]


def _held(path: Path) -> IO[str]:
    descriptor = os.open(lock_path(path), os.O_RDWR | os.O_CREAT, 0o600)
    lock = os.fdopen(descriptor, "r+")
    if os.fstat(descriptor).st_uid != os.geteuid():
        raise LocalError(f"{path} was made by another user. Choose another --data-dir.")
    _await_lock(lock, path)
    lock.seek(0)
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _await_lock(lock: IO[str], path: Path) -> None:
    """Waits only for a run whose command is dead already and whose servers are still stopping."""
    deadline = time.monotonic() + PREVIOUS_RUN_SECONDS
    while not _locked(lock):
        lock.seek(0)
        holder = int(lock.read() or 0)
        if psutil.pid_exists(holder) or time.monotonic() > deadline:
            raise LocalError(
                f"Countersign is running already on the data folder {path} (process {holder}). "
                "Stop that one first, or choose another folder with --data-dir "
                "(make run DATA_DIR=...)."
            )
        time.sleep(0.1)


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
