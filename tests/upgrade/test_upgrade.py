"""A database of version 0.1.0, made by its own code, goes on under the code of today."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from redis import Redis

from tests.databases import own_database, with_owner
from tests.live import WebServer, Worker, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

HERE = Path(__file__).parent
PROJECT_DIR = HERE.parents[1]
# Tables of version 0.1.0 that a later version gave up on purpose.
DROPPED: set[str] = set()

PRIMARY_KEYS = """
    SELECT relname, array_agg(attname::text ORDER BY attnum)
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
    WHERE indisprimary AND relnamespace = 'public'::regnamespace
    GROUP BY relname
"""

# What a person says to the request that a project waited with when the dump was made.
ANSWERS = {
    "Waits for its plan": {"action": "approve"},
    "Waits for a second approval": {"action": "approve", "by": "second"},
    "Amended by a person": {"action": "approve"},
    "Done again, with changes": {"action": "approve"},
    "Waits for help": {"action": "request_changes", "comment": "The provider is back."},
    "Waits for an answer": {
        "action": "answer",
        "content": "Members of a club lend tents. Staff must be able to add tents.",
    },
}
# Projects at work, each at another point between a decision and the next request.
AT_WORK = ("At work", "Waits for a worker", "Decided, and not yet gone on", "Just started")
UNTOUCHED = {
    "Library": "completed",
    "Library, taken in": "draft",
    "Rejected": "failed",
    "Cancelled": "cancelled",
    "Paused": "paused",
    "Not started": "draft",
}


class Installation:
    """The old database under the new code: commands, REST by a person's token, and rows."""

    def __init__(self, database_url: str) -> None:
        name = urlsplit(database_url).path.removeprefix("/")
        self.environment = {
            **with_owner(database_url),
            "QUEUE_PREFIX": f"{name}-",
            "CHANNEL_PREFIX": name,
        }
        self.web = httpx.Client(timeout=60)
        self._tokens: dict[str, str] = {}

    def manage(self, *words: object) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *map(str, words)],
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=150,
            cwd=PROJECT_DIR,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def load(self, file: Path) -> None:
        """As the one user that an installation had then; its tables go to the owner of today."""
        server, name = os.environ["TESTS_SUPERUSER"], self.environment["CHANNEL_PREFIX"]
        application = urlsplit(self.environment["DATABASE_URL"]).username
        with psycopg.connect(server, dbname=name, autocommit=True) as admin:
            admin.execute(f"ALTER DATABASE {name} OWNER TO {application}")
        with psycopg.connect(self.environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(gzip.decompress(file.read_bytes()))
        self.environment["ADMIN_DATABASE_URL"] = make_conninfo(server, dbname=name)
        assert "0 changed hands" not in self.manage("database_roles")
        assert "0 changed hands" in self.manage("database_roles")
        del self.environment["ADMIN_DATABASE_URL"]

    def rows(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.environment["DATABASE_URL"]) as connection:
            return connection.execute(statement).fetchall()

    def keys(self) -> dict[str, set[tuple]]:
        """The primary keys of all rows of all tables."""
        return {
            table: set(self.rows(f"SELECT {', '.join(columns)} FROM {table}"))  # noqa: S608
            for table, columns in self.rows(PRIMARY_KEYS)
        }

    def put_into_queues(self, file: Path) -> None:
        """As the broker had them: the oldest message last."""
        with Redis.from_url(os.environ["REDIS_URL"]) as redis:
            for queue, messages in json.loads(file.read_text()).items():
                key = self.environment["QUEUE_PREFIX"] + queue
                redis.rpush(key, *map(json.dumps, messages))

    def log_in(self, username: str, password: str) -> httpx.Response:
        credentials = {"username": username, "password": password}
        return self.web.post("auth/token/", json=credentials)

    def ask(self, user: str, method: str, path: str, **options: Any) -> httpx.Response:
        if user not in self._tokens:
            self._tokens[user] = self.log_in(user, f"{user}-password-0").json()["token"]
        headers = {"Authorization": f"Token {self._tokens[user]}"}
        answer = self.web.request(method, path, headers=headers, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:2000]}"
        return answer

    def get(self, path: str, user: str = "owner", **params: Any) -> Any:
        return self.ask(user, "GET", path, params=params).json()

    def project(self, name: str) -> str:
        return next(
            str(pk) for pk, known in self.rows("SELECT id, name FROM projects") if known == name
        )

    def pending(self, project: str, user: str = "owner") -> dict[str, Any] | None:
        """The request that the project waits with, as this person sees it."""
        query = {"project": project, "status": "pending"}
        rows = self.get("hitl/requests/", **query)["results"]
        return self.get(f"hitl/requests/{rows[0]['id']}/", user) if rows else None

    def next_request(self, project: str) -> dict[str, Any]:
        return eventually(lambda: self.pending(project), 100)

    def goes_on(self, project: str, request: dict[str, Any]) -> bool:
        """Whether it got from this request to the next one, or to its end, without a failure."""

        def next_stop() -> str:
            following = self.pending(project)
            if following and following["id"] != request["id"]:
                return following["kind"]
            status = self.get(f"projects/{project}/")["status"]
            return "" if status == "active" else status

        return eventually(next_stop, 100) not in ("escalation", "failed", "cancelled", "paused")

    def origin(self, name: str) -> dict[str, Any]:
        """What is known of where an imported project came from."""
        return self.get(f"projects/{self.project(name)}/origin/")["origin"]

    def decide(self, request: dict[str, Any], by: str = "approver", **decision: Any) -> None:
        body = {"subject_digest": request["subject_digest"]} | decision
        path = f"hitl/requests/{request['id']}/decisions/"
        assert self.ask(by, "POST", path, json=body).status_code == 201


@pytest.fixture(scope="module")
def database() -> Iterator[Installation]:
    """Loaded and migrated; nothing runs yet."""
    with own_database("upgraded") as url:
        installation = Installation(url)
        installation.load(HERE / "countersign_0_1_0.sql.gz")
        installation.keys_before = installation.keys()
        installation.manage("migrate")
        yield installation


@pytest.fixture(scope="module")
def installation(database: Installation, tmp_path_factory) -> Iterator[Installation]:
    """All of it runs, and the broker holds the messages of the old code."""
    database.put_into_queues(HERE / "queued_jobs.json")
    settings = {"DJANGO_SETTINGS_MODULE": "tests.end_to_end.quick_settings"}
    web = WebServer(**database.environment)
    database.web.base_url = f"{web.url}/api/v1/"
    worker = Worker(tmp_path_factory.mktemp("upgraded"), **database.environment, **settings)
    database.worker_output = worker.output
    try:
        yield database
    finally:
        worker.kill()
        web.stop()


def test_migrating_loses_no_row(database):
    before, after = database.keys_before, database.keys()

    assert len(before["event_log"]) > 100
    assert before.keys() - after.keys() == DROPPED
    lost = {table: before[table] - after[table] for table in before.keys() & after.keys()}
    assert {table: keys for table, keys in lost.items() if keys} == {}


def test_the_old_log_verifies_and_everything_holds(database):
    projects = database.rows("SELECT count(*) FROM projects")[0][0]

    # And the log of the installation, which began with the upgrade.
    assert f"{projects + 1} audit trails verified" in database.manage("verify_audit")
    database.manage("check_invariants")


def test_old_passwords_and_tokens_still_open_the_door(installation):
    for user in ("admin", "owner", "approver", "second", "viewer"):
        assert installation.log_in(user, f"{user}-password-0").status_code == 200
    assert installation.log_in("owner", "wrong").is_client_error
    for (key,) in installation.keys_before["authtoken_token"]:
        answer = installation.web.get("projects/", headers={"Authorization": f"Token {key}"})
        assert answer.status_code == 200


@pytest.mark.parametrize("name", AT_WORK)
def test_a_project_at_work_gets_to_its_next_request(installation, name):
    request = installation.next_request(installation.project(name))

    assert request["kind"] != "escalation", request
    assert "unregistered task" not in installation.worker_output()


def test_the_task_of_a_worker_that_is_gone_was_claimed_again(installation):
    project = installation.project("At work")
    installation.next_request(project)

    [first] = installation.get("tasks/", project=project)["results"]
    assert first["attempt"] == 2
    assert first["status"] == "waiting_for_hitl"


@pytest.mark.parametrize("name", ANSWERS)
def test_a_request_from_before_is_decided_and_the_work_goes_on(installation, name):
    project = installation.project(name)
    request = installation.pending(project, ANSWERS[name].get("by", "approver"))
    assert request["can_decide"]["allowed"], request["can_decide"]

    installation.decide(request, **ANSWERS[name])

    assert installation.goes_on(project, request)


def test_what_was_over_or_held_stays_so(installation):
    rows = dict(installation.rows("SELECT name, status FROM projects"))

    assert {name: rows[name] for name in UNTOUCHED} == UNTOUCHED


def test_a_paused_project_is_resumed_and_goes_on(installation):
    project = installation.project("Paused")
    installation.ask("owner", "POST", f"projects/{project}/resume/")
    request = installation.next_request(project)

    installation.decide(request, action="approve")

    assert installation.goes_on(project, request)


def test_a_draft_from_before_is_started(installation):
    project = installation.project("Not started")

    installation.ask("owner", "POST", f"projects/{project}/start/")

    assert installation.next_request(project)["kind"] != "escalation"


def test_all_that_was_written_can_still_be_read(installation):
    for table, path in (
        ("projects", "projects/{}/"),
        ("projects", "projects/{}/progress/"),
        ("projects", "projects/{}/policy/"),
        ("tasks", "tasks/{}/"),
        ("context_artifacts", "artifacts/{}/"),
        ("context_artifacts", "artifacts/{}/versions/"),
        ("hitl_requests", "hitl/requests/{}/"),
        ("hitl_requests", "hitl/requests/{}/comments/"),
    ):
        for (key,) in installation.keys_before[table]:
            installation.get(path.format(key))


def ready(answer: httpx.Response) -> httpx.Response | None:
    return answer if answer.status_code == 200 else None


def test_a_project_from_before_is_exported_and_imported(installation, tmp_path):
    path = f"projects/{installation.project('Library')}/export/"
    file = tmp_path / "export.zip"
    # 202 while a worker makes the documents of it.
    answer = eventually(lambda: ready(installation.ask("owner", "GET", path)), 100)
    file.write_bytes(answer.content)

    installation.manage("import_project", file, "--name", "From here", "--user", "owner")

    origin = installation.origin("From here")
    assert origin["trail_broken_at"] is None
    assert origin["trail_events"] > 50


def test_an_export_from_before_is_imported_and_started(installation):
    file = HERE / "library_0_1_0.zip"

    installation.manage("import_project", file, "--name", "From before", "--user", "owner")

    assert installation.origin("From before")["trail_broken_at"] is None
    project = installation.project("From before")
    installation.ask("owner", "POST", f"projects/{project}/start/")
    assert installation.next_request(project)["kind"] != "escalation"


def test_afterwards_every_log_verifies_and_everything_holds(installation):
    installation.manage("verify_audit")
    installation.manage("check_invariants")
