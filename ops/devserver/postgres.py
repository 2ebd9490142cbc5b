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

from ops.database_roles import Login, hand_over, make_role, reader_of
from ops.devserver import DevServerError
from ops.devserver.binaries import postgres_program
from ops.devserver.children import Child
from ops.devserver.data_dir import DataDir
from ops.devserver.processes import end_programs_in

# The application's role and the database; a data folder of an earlier version keeps its name.
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
        """The application's. Known once it was started."""
        return self._url_of(self.application)

    @property
    def owner_url(self) -> str:
        """Of who migrates, and of tools that cheat."""
        return self._url_of(self.owner)

    @property
    def reader_url(self) -> str:
        return self._url_of(self.reader)

    @property
    def application(self) -> Login:
        return Login(self.database, self.data_dir.secret("database"))

    @property
    def owner(self) -> Login:
        return Login(f"{self.database}_owner", self.data_dir.secret("database_owner"))

    @property
    def reader(self) -> Login:
        return Login(reader_of(self.database), self.data_dir.secret("database_reader"))

    def _url_of(self, login: Login) -> str:
        host = quote(str(self.data_dir.socket_dir()), safe="")
        return f"postgresql://{login.name}:{login.password}@/{self.database}?host={host}"

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
        """With its roles. What an earlier version made belongs to the owner from now on."""
        with self._connect("postgres") as connection:
            query = "SELECT datname FROM pg_database WHERE datname IN (%s, %s) ORDER BY datname"
            existing = connection.execute(query, [EARLIER_NAME, NAME]).fetchall()
            self.database = existing[0][0] if existing else NAME
            make_role(connection, self.application, creates_databases=False)
            make_role(connection, self.reader, creates_databases=False)
            # For those who rehearse on a database beside it: tests, benchmarks, a restore.
            make_role(connection, self.owner, creates_databases=True)
            owner = sql.Identifier(self.owner.name)
            if not existing:
                create = sql.SQL("CREATE DATABASE {} OWNER {}")
                connection.execute(create.format(sql.Identifier(self.database), owner))
            if not self.is_durable:
                # Tests empty append-only tables between them, past the triggers.
                grant = sql.SQL("GRANT SET ON PARAMETER session_replication_role TO {}")
                connection.execute(grant.format(owner))
        with self._connect(self.database) as connection:
            hand_over(connection, application=self.application.name, owner=self.owner.name)
        if self.extension:
            self.extend(self.database, self.extension)

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.data_dir.socket_dir()),
            dbname=database,
            user=SUPERUSER,
            password=self.data_dir.secret("database_superuser"),
            connect_timeout=3,
            autocommit=True,
        )
