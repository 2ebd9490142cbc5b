"""pytest plugin: PostgreSQL and Redis for this run, before Django reads its settings.

The process that starts them (with xdist: the controller) stops them; those of a killed run are
ended by the next one.
"""

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from ops.devserver import DevServerError
from ops.devserver.data_dir import open_data_dir
from ops.devserver.postgres import SUPERUSER
from ops.devserver.servers import EmbeddedServers

WANTED = ("DATABASE_URL", "REDIS_URL")
PREFIX = "paraph-tests-"
_cleanups = []


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    # Nothing of a running `manage.py up` may leak into the tests.
    os.environ["DATA_DIR"] = os.path.join(tempfile.gettempdir(), "no-such-data-folder")
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        _use_own_key_space(worker)
        return
    if "--help" in early_config.invocation_params.args:
        return
    _start({key for key in WANTED if not os.environ.get(key)})


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    while _cleanups:
        _cleanups.pop()()


def _start(needs: set[str]) -> None:
    if not needs:
        return
    _end_killed_runs()
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    home.chmod(0o711)
    data_dir = open_data_dir(home / "data", system_dir=home)
    servers = EmbeddedServers(data_dir, needs=needs, is_durable=False)
    _cleanups.extend([lambda: _remove(home), data_dir.close, servers.stop])
    # pytest unconfigures only what it could configure.
    atexit.register(pytest_unconfigure)
    try:
        servers.start()
    except BaseException:
        pytest_unconfigure()
        raise
    os.environ.update(servers.environment())
    if "DATABASE_URL" in needs:
        # For what only a superuser may do: to create an extension.
        os.environ["TESTS_SUPERUSER"] = make_conninfo(
            host=str(data_dir.socket_dir()),
            user=SUPERUSER,
            password=data_dir.secret("database_superuser"),
        )


def _end_killed_runs() -> None:
    for lock in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/data/lock"):
        home = lock.parent.parent
        try:
            open_data_dir(lock.parent, system_dir=home).close()
        except DevServerError:
            continue  # in use, or another user's
        _remove(home)


def _remove(home: Path) -> None:
    # Another run may be at it too, believing that this one was killed.
    shutil.rmtree(home, ignore_errors=True)


def _use_own_key_space(worker: str) -> None:
    """pytest-django gives each worker its own database; this gives it its own Redis keys."""
    number = int(worker.removeprefix("gw")) + 1
    os.environ["CHANNEL_PREFIX"] = os.environ["QUEUE_PREFIX"] = f"test-{worker}-"
    server, _, _ = os.environ["REDIS_URL"].rpartition("/")
    os.environ["REDIS_URL"] = f"{server}/{number}"
