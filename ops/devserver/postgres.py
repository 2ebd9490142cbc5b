"""The embedded PostgreSQL: private socket, password, durable."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from ops.devserver import DevServerError
from ops.devserver.binaries import postgres_program
from ops.devserver.children import Child
from ops.devserver.data_dir import DataDir
from ops.devserver.processes import end_programs_in

# A role and its database; a data folder of an earlier version keeps the name it was made with.
NAME, EARLIER_NAME = "paraph", "countersign"
SUPERUSER = "postgres"
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# Without our own variables: no secret, no PG* variable that would change what the server does.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


class Postgres(Child):
    def __init__(self, data_dir: DataDir, *, is_durable: bool = True, extension: str = "") -> None:
        super().__init__(
            data_dir,
            "postgres",
            environment=ENVIRONMENT,
            account=data_dir.account,
            # Fast: open transactions roll back, what was committed stays.
            stop_signal=signal.SIGINT,
            stop_seconds=60,
        )
        self.is_durable, self.extension = is_durable, extension
        self.database = NAME

    @property
    def url(self) -> str:
        """Readable by django-environ and by libpq alike. Known once it was started."""
        host = quote(str(self.data_dir.socket_dir()), safe="")
        password = self.data_dir.secret("database")
        return f"postgresql://{self.database}:{password}@/{self.database}?host={host}"

    @property
    def data(self) -> Path:
        return self.data_dir.server_dir("postgres") / "data"

    def start(self) -> None:
        if not self.data.exists():
            self.create_cluster()
        end_programs_in(self.data, "postgres", self.stop_signal)
        # The folder is locked, so nobody runs on it: the number in there may be another program's.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        socket_dir = str(self.data_dir.socket_dir()).replace('"', '""')
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
        if not self.is_durable:
            settings |= NOT_DURABLE
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        program = postgres_program("postgres", self.account)
        self.arguments = [program, "-D", str(self.data), *options]
        self.cwd = self.data
        super().start()

    def start_and_wait(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Returns when it answers and our database is there."""
        self.start()
        self.wait_until(self.answers, 120, pause)
        self.create_database()

    def answers(self) -> bool:
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def extend(self, database: str, extension: str) -> None:
        """CREATE EXTENSION, which only the server's superuser may do."""
        with self._connect(database) as connection:
            name = sql.Identifier(extension)
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(name))

    def create_cluster(self) -> None:
        """With initdb, as a whole or not at all."""
        fresh = self.data.with_name("data.new")
        shutil.rmtree(fresh, ignore_errors=True)
        password = self.data.with_name("password")
        self.data_dir.write_for_server(password, self.data_dir.secret("database_superuser"))
        options = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin"]
        options += ["--builtin-locale=C.UTF-8", "--auth=scram-sha-256", f"--username={SUPERUSER}"]
        options += [f"--pwfile={password}"] + ([] if self.is_durable else ["--no-sync"])
        initdb = Child(
            self.data_dir,
            "postgres",
            [postgres_program("initdb", self.account), f"--pgdata={fresh}", *options],
            environment=ENVIRONMENT,
            cwd=fresh.parent,
            account=self.account,
        )
        initdb.start()
        initdb.process.wait()
        password.unlink()
        if initdb.process.returncode != 0:
            raise DevServerError(f"PostgreSQL could not create its files:\n{initdb.last_lines()}")
        # Last of all, so that a start that is killed before this starts over.
        fresh.rename(self.data)

    def create_database(self) -> None:
        with self._connect("postgres") as connection:
            query = "SELECT datname FROM pg_database WHERE datname IN (%s, %s) ORDER BY datname"
            existing = connection.execute(query, [EARLIER_NAME, NAME]).fetchall()
            self.database = existing[0][0] if existing else NAME
            owner = sql.Identifier(self.database)
            roles = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [self.database])
            if roles.fetchone() is None:
                password = sql.Literal(self.data_dir.secret("database"))
                create = sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}")
                connection.execute(create.format(owner, password))
            if not existing:
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(owner, owner))
            if self.extension:
                self.extend(self.database, self.extension)
            if not self.is_durable:
                # Tests empty append-only tables between them, past the triggers.
                grant = sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}")
                connection.execute(grant.format(owner))

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.data_dir.socket_dir()),
            dbname=database,
            user=SUPERUSER,
            password=self.data_dir.secret("database_superuser"),
            connect_timeout=3,
            autocommit=True,
        )
