"""The embedded PostgreSQL: private socket, password, durable."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from ops.devserver import LocalError
from ops.devserver.data_dir import DataFolder
from ops.devserver.processes import await_answer, end_leftovers, spawn, stop, tail
from ops.devserver.software import postgres_program

ROLE = DATABASE = "countersign"
SUPERUSER = "postgres"
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass
class Postgres:
    folder: DataFolder
    is_durable: bool = True
    extension: str = ""
    process: subprocess.Popen[bytes] | None = None

    name = "postgres"
    stop_signal = signal.SIGINT  # fast: open transactions roll back, what was committed stays
    stop_seconds = 60.0

    @property
    def url(self) -> str:
        """Readable by django-environ and by libpq alike."""
        host = quote(str(self.folder.socket_dir()), safe="")
        return f"postgresql://{ROLE}:{self.folder.secret('database')}@/{DATABASE}?host={host}"

    @property
    def data(self) -> Path:
        return self.folder.server_dir("postgres") / "data"

    @property
    def log(self) -> Path:
        return self.folder.log(self.name)

    def start(self) -> None:
        """Returns when it answers and our database is there."""
        self._make_cluster()
        self._clear_leftovers()
        self.launch()
        await_answer(
            self.answers, process=self.process, log=self.log, name="PostgreSQL", seconds=120
        )
        self._make_database()

    def launch(self) -> None:
        settings = self._settings().items()
        arguments = [part for key, value in settings for part in ("-c", f"{key}={value}")]
        self.process = spawn(
            [self._program("postgres"), "-D", str(self.data), *arguments],
            log=self.log,
            cwd=self.data,
            env=_environment(),
            account=self.folder.account,
            death_signal=self.stop_signal,
        )

    def relaunch(self) -> None:
        self._clear_leftovers()
        self.launch()

    def stop(self) -> None:
        if self.process:
            stop(self.process, how=self.stop_signal, grace=self.stop_seconds)

    def answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _settings(self) -> dict[str, str]:
        socket_dir = str(self.folder.socket_dir()).replace('"', '""')
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{socket_dir}"',
            "unix_socket_permissions": "0700",
            "port": "5432",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        return settings if self.is_durable else settings | NOT_DURABLE

    def _make_cluster(self) -> None:
        if self.data.exists():
            return
        fresh = self.data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        password = self._password_file()
        self._initdb(fresh, password)
        password.unlink()
        # The last step: a start that was killed earlier than this begins anew.
        fresh.rename(self.data)

    def _initdb(self, target: Path, password: Path) -> None:
        options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        options += ["--builtin-locale=C.UTF-8", "--auth=scram-sha-256", f"--username={SUPERUSER}"]
        options += [f"--pwfile={password}"] + ([] if self.is_durable else ["--no-sync"])
        process = spawn(
            [self._program("initdb"), f"--pgdata={target}", *options],
            log=self.log,
            cwd=target.parent,
            env=_environment(),
            account=self.folder.account,
            death_signal=signal.SIGKILL,
        )
        if process.wait() != 0:
            raise LocalError(f"PostgreSQL could not make its files:\n{tail(self.log)}")

    def _password_file(self) -> Path:
        path = self.folder.server_dir("postgres") / "password"
        self.folder.write_for_server(path, self.folder.secret("database_superuser"))
        return path

    def _clear_leftovers(self) -> None:
        """Only under our own lock: a dead run's pid may by now be that of another program."""
        end_leftovers("postgres", self.data, how=self.stop_signal)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _make_database(self) -> None:
        with self._connect("postgres") as connection:
            if not _exists(connection, "pg_roles", "rolname", ROLE):
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                        sql.Identifier(ROLE), sql.Literal(self.folder.secret("database"))
                    )
                )
            if not _exists(connection, "pg_database", "datname", DATABASE):
                connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
            if self.extension:
                self.extend(DATABASE, self.extension)
            if not self.is_durable:
                # Tests empty append-only tables between them, past the triggers.
                connection.execute(f"GRANT SET ON PARAMETER session_replication_role TO {ROLE}")

    def extend(self, database: str, extension: str) -> None:
        """What only the server's superuser may do."""
        with self._connect(database) as connection:
            name = sql.Identifier(extension)
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(name))

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder.socket_dir()),
            dbname=database,
            user=SUPERUSER,
            password=self.folder.secret("database_superuser"),
            connect_timeout=3,
            autocommit=True,
        )

    def _program(self, name: str) -> str:
        return postgres_program(name, self.folder.account)


def _exists(connection: psycopg.Connection, table: str, column: str, name: str) -> bool:
    query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(
        sql.Identifier(table), sql.Identifier(column)
    )
    return connection.execute(query, [name]).fetchone() is not None


def _environment() -> dict[str, str]:
    """Nothing of ours: no secret, no PG* variable that would change what the server does."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
