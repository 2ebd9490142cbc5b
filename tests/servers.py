"""pytest plugin: PostgreSQL and Redis for this run, before Django reads its settings.

The process that starts them (with xdist: the controller) stops them; those of a killed run are
ended by the next one.
"""

import atexit
import fcntl
import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ops.devserver import DevServerError
from ops.devserver.binaries import postgres_program
from ops.devserver.data_dir import open_data_dir
from ops.devserver.postgres import SUPERUSER
from ops.devserver.runtime import PROJECT_DIR
from ops.devserver.servers import EmbeddedServers

WANTED = ("DATABASE_URL", "REDIS_URL")
PREFIX = "paraph-tests-"
TEMPLATE = "tests_template"
# All that says what an empty database looks like. (What else migrations import are defaults.)
MIGRATIONS = (
    *("requirements.txt", "semantic/storage.py", "ops/database_roles.py", "*/migrations/*.py"),
)
_cleanups = []


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """A plugin of an installed package, half a second in each process, is for one folder only."""
    if not os.environ.get("SCHEMA_TESTS"):
        pluginmanager.set_blocked("schemathesis")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    # Nothing of a running `manage.py up` may leak into the tests.
    os.environ["DATA_DIR"] = os.path.join(tempfile.gettempdir(), "no-such-data-folder")
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        _use_own_key_space(worker)
        return
    if "--help" in early_config.invocation_params.args:
        os.environ["TESTS_OWNER_URL"] = os.environ.get("DATABASE_URL", "")
        return
    _start({key for key in WANTED if not os.environ.get(key)})
    # Not under its own name: what the tests start is the application, and has only its role.
    owner = os.environ.pop("MIGRATION_DATABASE_URL", "") or os.environ["DATABASE_URL"]
    os.environ["TESTS_OWNER_URL"] = owner


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
    os.environ |= servers.of_the_owner()
    if "DATABASE_URL" in needs:
        os.environ["TESTS_READER_URL"] = servers.servers["DATABASE_URL"].reader_url
        # For what only a superuser may do: to create an extension.
        os.environ["TESTS_SUPERUSER"] = make_conninfo(
            host=str(data_dir.socket_dir()),
            user=SUPERUSER,
            password=data_dir.secret("database_superuser"),
        )
        _make_template()


def _make_template() -> None:
    """An empty database, migrated, to copy for each worker; kept as a file for the next run."""
    files = [path for pattern in MIGRATIONS for path in sorted(PROJECT_DIR.glob(pattern))]
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
    dump = PROJECT_DIR / "build" / "tests" / f"{digest}.dump"
    dump.parent.mkdir(parents=True, exist_ok=True)
    with psycopg.connect(os.environ["MIGRATION_DATABASE_URL"], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {TEMPLATE}")
    urls = {
        name: urlsplit(os.environ[name])._replace(path=f"/{TEMPLATE}").geturl()
        for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL")
    }
    is_made = dump.exists()
    if not is_made:
        # Who starts at the same time waits, and copies what the first one has made.
        with (dump.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            is_made = dump.exists()
            if not is_made:
                _migrate_and_dump(urls, dump)
    if is_made:
        load(dump, urls["MIGRATION_DATABASE_URL"])
    os.environ["TESTS_TEMPLATE"], os.environ["TESTS_DUMP"] = TEMPLATE, str(dump)


def load(dump: Path | str, url: str) -> None:
    """Into an empty database, whose owner the URL names."""
    program = postgres_program("pg_restore", None)
    subprocess.run([program, "--single-transaction", f"--dbname={url}", dump], check=True)


def _migrate_and_dump(urls: dict[str, str], dump: Path) -> None:
    environment = os.environ | urls | {"DJANGO_SETTINGS_MODULE": "orchestrator.settings"}
    migrate = [sys.executable, "manage.py", "migrate", "-v0"]
    subprocess.run(migrate, check=True, env=environment, cwd=PROJECT_DIR)
    # As a whole or not at all.
    new = dump.with_suffix(".new")
    program = postgres_program("pg_dump", None)
    url = urls["MIGRATION_DATABASE_URL"]
    subprocess.run([program, "--format=custom", f"--file={new}", url], check=True)
    new.rename(dump)


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
