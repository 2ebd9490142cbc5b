"""What a running `manage.py up` tells the other commands: one private file in the data folder."""

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any

PROJECT_DIR = Path(__file__).resolve().parent.parent.parent
SHARED_KEYS = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")
# For commands that migrate the database of a running `up`; never for its servers and workers.
OWNER_KEY = "MIGRATION_DATABASE_URL"
# Nothing answers here, so a command that needs a server fails at once, and manage.py says why.
NOWHERE = {
    "DATABASE_URL": "postgresql:///paraph?host=%2Fnonexistent",
    "REDIS_URL": "redis://127.0.0.1:1/0",
}

# What this process took from the runtime file, or generated, because nobody set it.
supplied: set[str] = set()
_is_command_line = False


def default_data_dir() -> Path:
    return Path(os.environ.get("DATA_DIR") or PROJECT_DIR / ".data").expanduser().absolute()


def runtime_path(data_dir: Path) -> Path:
    return data_dir / "runtime.json"


def lock_path(data_dir: Path) -> Path:
    return data_dir / "lock"


def for_command_line() -> None:
    """Lets settings load with no server at all, as `makemigrations` and `up` itself need it."""
    global _is_command_line
    _is_command_line = True


def load_runtime_environment(data_dir: Path | str | None = None) -> None:
    """Fills in what the environment does not set from what `up` wrote down."""
    runtime = read_runtime(Path(data_dir) if data_dir else default_data_dir())
    for key in SHARED_KEYS:
        if os.environ.get(key) or os.environ.get(f"{key}_FILE"):
            continue
        value = runtime.get(key)
        if not value and _is_command_line:
            value = NOWHERE.get(key) or secrets.token_urlsafe(50)
        if value:
            os.environ[key] = value
            supplied.add(key)
    if _is_command_line and "DATABASE_URL" in supplied and runtime.get(OWNER_KEY):
        os.environ.setdefault(OWNER_KEY, runtime[OWNER_KEY])
    # Where the server of this data folder listens, for commands that talk to it.
    if (url := runtime.get("BASE_URL")) and not os.environ.get("PARAPH_URL"):
        os.environ["PARAPH_URL"] = url


def read_runtime(data_dir: Path) -> dict[str, Any]:
    """The last start's environment and base URL; empty when there is none that we may read."""
    try:
        return json.loads(runtime_path(data_dir).read_text())
    except (OSError, ValueError):
        return {}


def write_private(path: Path, content: str, *, owner: tuple[int, int] | None = None) -> None:
    """Replaces a file in one step; nobody but its owner can read it, not even for a moment."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if owner:
            os.fchown(descriptor, *owner)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def write_runtime(data_dir: Path, content: dict[str, Any]) -> None:
    write_private(runtime_path(data_dir), json.dumps(content, indent=2))


def is_live(data_dir: Path | None = None) -> bool:
    """Whether an `up` holds this data folder now."""
    try:
        with lock_path(data_dir or default_data_dir()).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
