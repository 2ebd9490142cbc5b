"""pytest plugin: PostgreSQL and Redis for this run, before Django reads its settings.

The process that starts them (with xdist: the controller) stops them; a killed run takes them along.
"""

import atexit
import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo

from ops.devserver.data_dir import open_data_folder
from ops.devserver.postgres import SUPERUSER
from ops.devserver.servers import LocalServers

WANTED = ("DATABASE_URL", "REDIS_URL")
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
    home = Path(tempfile.mkdtemp(prefix="paraph-tests-"))
    home.chmod(0o711)
    folder = open_data_folder(home / "data", places_dir=home)
    servers = LocalServers(folder, needs=needs, is_durable=False)
    _cleanups.extend([lambda: shutil.rmtree(home), folder.close, servers.stop])
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
            host=str(folder.socket_dir()),
            user=SUPERUSER,
            password=folder.secret("database_superuser"),
        )


def _use_own_key_space(worker: str) -> None:
    """pytest-django gives each worker its own database; this gives it its own Redis keys."""
    number = int(worker.removeprefix("gw")) + 1
    os.environ["CHANNEL_PREFIX"] = os.environ["QUEUE_PREFIX"] = f"test-{worker}-"
    server, _, _ = os.environ["REDIS_URL"].rpartition("/")
    os.environ["REDIS_URL"] = f"{server}/{number}"
