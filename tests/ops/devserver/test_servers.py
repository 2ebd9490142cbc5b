"""The embedded servers, started and stopped for real."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from ops.devserver.data_dir import open_data_dir
from ops.devserver.processes import PidFile
from ops.devserver.runtime import PROJECT_DIR
from ops.devserver.servers import EmbeddedServers

pytestmark = pytest.mark.slow
BOTH = {"DATABASE_URL", "REDIS_URL"}
AS_SOMEBODY = """
import sys
from pathlib import Path
from ops.devserver.data_dir import open_data_dir
from ops.devserver.servers import EmbeddedServers
data_dir = open_data_dir(Path(sys.argv[1]))
servers = EmbeddedServers(data_dir, needs={"DATABASE_URL", "REDIS_URL"}, is_durable=False)
servers.start()
print(servers.environment()["DATABASE_URL"], flush=True)
print(servers.environment()["REDIS_URL"], flush=True)
sys.stdin.read()
servers.stop()
"""


@pytest.fixture
def home():
    """Outside pytest's own folder, whose long and private path is a case of its own."""
    home = Path(tempfile.mkdtemp(prefix="cs-"))
    yield home
    shutil.rmtree(home)


@pytest.fixture
def start(home):
    home.chmod(0o711)
    started = []

    def start_(needs=BOTH, is_durable=False):
        data_dir = open_data_dir(home / "data", system_dir=home)
        servers = EmbeddedServers(data_dir, needs=needs, is_durable=is_durable)
        started.append((servers, data_dir))
        servers.start()
        return servers

    yield start_
    for servers, data_dir in started:
        servers.stop()
        data_dir.close()


def write_something(servers):
    with psycopg.connect(servers.of_the_owner()["MIGRATION_DATABASE_URL"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    redis.Redis.from_url(servers.environment()["REDIS_URL"]).set("kept", "42")


def read_it_again(servers) -> tuple[int, bytes]:
    with psycopg.connect(servers.of_the_owner()["MIGRATION_DATABASE_URL"]) as connection:
        answer = connection.execute("SELECT answer FROM kept").fetchone()[0]
    return answer, redis.Redis.from_url(servers.environment()["REDIS_URL"]).get("kept")


def release(servers):
    servers.stop()
    next(iter(servers.servers.values())).data_dir.close()


def running_in(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(home)):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_what_was_written_is_there_after_a_stop_and_a_start(start):
    first = start()
    write_something(first)
    release(first)
    assert read_it_again(start()) == (42, b"42")


def test_a_stop_leaves_no_process(start, home):
    servers = start()
    assert running_in(home)
    release(servers)
    assert not running_in(home)


def test_killed_servers_start_again_on_what_they_had_committed(start):
    servers = start(is_durable=True)
    write_something(servers)
    for server in servers.servers.values():
        server.process.kill()
        server.process.wait()
        server.start_and_wait()
    assert read_it_again(servers) == (42, b"42")


def test_a_stale_pid_file_with_the_pid_of_another_program_is_no_hindrance(start):
    servers = start({"DATABASE_URL"})
    server = servers.servers["DATABASE_URL"]
    stale = (server.data / "postmaster.pid").read_text().splitlines()
    release(servers)
    (server.data / "postmaster.pid").write_text("\n".join(["1", *stale[1:]]))
    assert start({"DATABASE_URL"}).servers["DATABASE_URL"].answers()


def test_a_start_cut_short_while_making_the_files_begins_anew(start, home):
    data_dir = open_data_dir(home / "data", system_dir=home)
    half_made = data_dir.server_dir("postgres") / "data.new"
    half_made.mkdir()
    (half_made / "PG_VERSION").write_text("18\n")
    data_dir.close()
    assert start({"DATABASE_URL"}).servers["DATABASE_URL"].answers()


def test_the_database_is_durable_utf8_utc_and_not_on_the_network(start):
    url = start({"DATABASE_URL"}, is_durable=True).environment()["DATABASE_URL"]
    names = ("fsync", "synchronous_commit", "full_page_writes", "server_encoding", "TimeZone")
    with psycopg.connect(url) as connection:
        shown = [connection.execute(f"SHOW {name}").fetchone()[0] for name in names]
        addresses = connection.execute("SHOW listen_addresses").fetchone()[0]
        is_superuser = connection.execute("SHOW is_superuser").fetchone()[0]
    assert shown == ["on", "on", "on", "UTF8", "UTC"]
    assert (addresses, is_superuser) == ("", "off")


def test_the_one_user_of_an_earlier_release_hands_over_to_the_owner(start):
    server = start({"DATABASE_URL"}).servers["DATABASE_URL"]
    with server._connect(server.database) as admin:
        admin.execute("DROP OWNED BY paraph_reader, paraph")
        admin.execute("REASSIGN OWNED BY paraph_owner TO paraph")
        admin.execute("DROP OWNED BY paraph_owner")
        admin.execute("DROP ROLE paraph_owner, paraph_reader")
        admin.execute("ALTER ROLE paraph CREATEDB")
    with psycopg.connect(server.url) as former:
        former.execute("CREATE TABLE event_log (id bigserial PRIMARY KEY, actor text)")
    server.create_database()

    with psycopg.connect(server.url, autocommit=True) as application:
        application.execute("INSERT INTO event_log (actor) VALUES ('user:1')")
        for statement in ("DROP TABLE event_log", "DELETE FROM event_log", "CREATE DATABASE x"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application.execute(statement)


def test_redis_keeps_everything_and_wants_its_password(start):
    url = start({"REDIS_URL"}).environment()["REDIS_URL"]
    client = redis.Redis.from_url(url)
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    assert client.config_get("appendonly")["appendonly"] == "yes"
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=client.connection_pool.connection_kwargs["port"], retry=None).ping()


def test_the_database_wants_its_password_too(start):
    url = start({"DATABASE_URL"}).environment()["DATABASE_URL"]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url, password="wrong")


def test_no_secret_is_on_a_command_line(start):
    servers = start()
    data_dir = servers.servers["REDIS_URL"].data_dir
    secrets = [data_dir.secret(name) for name in ("redis", "database", "database_superuser")]
    lines = [
        " ".join(psutil.Process(server.process.pid).cmdline())
        for server in servers.servers.values()
    ]
    assert not [secret for secret in secrets for line in lines if secret in line]


def test_only_what_is_needed_is_started(start):
    assert set(start({"REDIS_URL"}).environment()) == {"REDIS_URL"}


def test_servers_work_under_a_long_path_with_spaces_and_quotes(home):
    home.chmod(0o711)
    data_dir = open_data_dir(home / f"""it's a "data", folder {"x" * 80}""", system_dir=home)
    servers = EmbeddedServers(data_dir, needs={"DATABASE_URL"}, is_durable=False)
    try:
        servers.start()
        assert servers.servers["DATABASE_URL"].answers()
    finally:
        release(servers)
        record = data_dir.path / "socket-dir"
        if record.exists():
            shutil.rmtree(record.read_text())


# What an ordinary user needs to import us, whichever interpreter may be run.
IMPORTABLE = {
    "PATH": os.defpath,
    "PYTHONPATH": os.pathsep.join([str(PROJECT_DIR), sysconfig.get_path("purelib")]),
}


def ordinary_identity() -> dict[str, Any]:
    """Ourselves, or as root the user `nobody`."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def runs_for(interpreter: str, identity: dict[str, Any]) -> bool:
    command = [interpreter, "-c", "import ops.devserver.servers"]
    try:
        return (
            subprocess.run(command, cwd="/", env=IMPORTABLE, check=False, **identity).returncode
            == 0
        )
    except OSError:
        return False


@pytest.fixture
def as_somebody(home):
    """Both servers, started by a program of an ordinary user that runs until its input ends."""
    identity = ordinary_identity()
    system_python = f"/usr/bin/python3.{sys.version_info.minor}"
    choice = [name for name in (sys.executable, system_python) if runs_for(name, identity)]
    if not choice:
        pytest.skip("no ordinary user can run Python and read this checkout")
    os.chown(home, identity.get("user", -1), identity.get("group", -1))
    process = subprocess.Popen(
        [choice[0], "-c", AS_SOMEBODY, str(home / "data")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=home,
        env=IMPORTABLE,
        **identity,
    )
    yield process
    process.kill()
    process.communicate()
    psutil.wait_procs(running_in(home), timeout=20)


def test_an_ordinary_user_gets_both_servers_in_folders_of_his_own(as_somebody, home):
    database, broker = (as_somebody.stdout.readline().strip() for _ in BOTH)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert redis.Redis.from_url(broker).ping()
    made = [path for path in (home / "data").rglob("*") if path.is_dir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o700}
    as_somebody.communicate("", timeout=30)
    assert not running_in(home)


def test_the_servers_of_a_killed_program_are_ended_by_the_next_one(as_somebody, home):
    as_somebody.stdout.readline()
    as_somebody.stdout.readline()
    as_somebody.kill()
    as_somebody.wait()
    assert running_in(home)
    pid_file = PidFile(home / "data" / "processes.json")
    pid_file.end_leftovers(home / "data", print)
    assert not running_in(home)


def test_a_server_that_nobody_wrote_down_is_ended_by_the_next_start(start):
    first = start()
    first.servers["REDIS_URL"].data_dir.close()
    (first.servers["REDIS_URL"].data_dir.path / "processes.json").unlink()
    start()
    assert not any(server.is_running() for server in first.servers.values())


def test_a_database_of_an_earlier_version_keeps_its_name(start):
    first = start({"DATABASE_URL"}).servers["DATABASE_URL"]
    with first._connect("postgres") as connection:
        connection.execute("ALTER DATABASE paraph RENAME TO countersign")
        connection.execute("ALTER ROLE paraph RENAME TO countersign")
    first.stop()
    first.data_dir.close()
    url = start({"DATABASE_URL"}).environment()["DATABASE_URL"]
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_database(), current_user").fetchone()
        names = connection.execute("SELECT count(*) FROM pg_database").fetchone()
    assert row == ("countersign", "countersign")
    assert names == (4,)
