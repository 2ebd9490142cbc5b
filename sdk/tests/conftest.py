"""A server of one's own, by `manage.py up`, and a person who decides."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import paraph

MAIN = Path(__file__).resolve().parents[2]
SERVER_PYTHON = os.environ.get("PARAPH_SERVER_PYTHON", str(MAIN / ".venv/bin/python"))
# They need the frameworks, each in an environment of its own: `make test-adapters`.
collect_ignore = [] if os.environ.get("ADAPTERS") else ["adapters"]
LISTENING = re.compile(r"http://127\.0\.0\.1:\d+")
ADDRESS = ("PARAPH_URL", "PARAPH_TOKEN", "PARAPH_PROJECT", "PARAPH_AGENT")
LEASE_SECONDS = 3
# The admin makes the credentials, and may not approve what they ask.
APPROVERS = ("boss", "chief")
PASSWORD = "a-password-of-tests"


class Installation:
    """All of the product on a free port; its data goes with it."""

    def __init__(self, folder: Path) -> None:
        hidden = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", *ADDRESS}
        self.environment = {k: v for k, v in os.environ.items() if k not in hidden} | {
            "ADMIN_PASSWORD": PASSWORD,
            "DATA_DIR": str(folder / "data"),
            "GRANT_KEY_FILE": str(folder / "grants.json"),
            "ACTION_LEASE_SECONDS": str(LEASE_SECONDS),
        }
        self.port = 0
        self.start()
        self.token = self.token_of("admin")
        self.approver_tokens = [self.token_of(name) for name in APPROVERS if self.make(name)]

    def make(self, name: str) -> str:
        """Another superuser, for only people make people."""
        values = {"USERNAME": name, "EMAIL": "", "PASSWORD": PASSWORD}
        subprocess.run(
            [SERVER_PYTHON, "manage.py", "createsuperuser", "--noinput"],
            cwd=MAIN,
            env=self.environment
            | {f"DJANGO_SUPERUSER_{key}": value for key, value in values.items()},
            check=True,
            capture_output=True,
        )
        return name

    def token_of(self, name: str) -> str:
        """With all scopes."""
        body = {"username": name, "password": PASSWORD}
        answer = httpx.post(f"{self.url}/api/v1/auth/token/", json=body, timeout=30)
        return answer.json()["token"]

    def start(self) -> None:
        self.process = subprocess.Popen(
            [SERVER_PYTHON, "manage.py", "up", "--port", str(self.port), "--stop-with-parent"],
            cwd=MAIN,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed = ""
        for line in self.process.stdout:
            printed += line
            if "Ctrl-C stops everything" in line:
                break
        else:
            raise AssertionError(f"the server ended:\n{printed}")
        self.url = LISTENING.search(printed)[0]
        self.port = int(self.url.rpartition(":")[2])
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    if not Path(SERVER_PYTHON).exists():
        pytest.fail(f"{SERVER_PYTHON} is not there: run `make test-sdk` from the root.")
    # PostgreSQL runs as another user, who must reach it.
    folder = Path(tempfile.mkdtemp(prefix="paraph-sdk-"))
    folder.chmod(0o711)
    running = Installation(folder)
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def owner(installation: Installation) -> Iterator[paraph.Client]:
    with paraph.Client(installation.url, installation.token) as client:
        yield client


@pytest.fixture
def people(installation: Installation) -> Iterator[list[paraph.Client]]:
    clients = [paraph.Client(installation.url, token) for token in installation.approver_tokens]
    yield clients
    for client in clients:
        client.close()


class Home:
    """A project for an agent's actions, and the people who decide on them."""

    def __init__(
        self, installation: Installation, owner: paraph.Client, people: list[paraph.Client]
    ) -> None:
        self.url = installation.url
        self.people = people
        self.person = people[0]
        body = {"name": "Refunds", "brief": "Refunds of lost parcels.", "workflow": "none"}
        body["oversight_level"] = "low"
        self.id = owner.send("POST", "projects/", body).json()["id"]
        for name in APPROVERS:
            body = {"user": name, "role": "approver"}
            owner.send("POST", f"projects/{self.id}/members/", body)
        body = {"name": "support", "scopes": ["ask", "work", "read"]}
        path = f"projects/{self.id}/credentials/"
        self.token = owner.send("POST", path, body).json()["token"]

    def connection(self, **fields: Any) -> paraph.Connection:
        values = {"project": self.id, "agent": "support"} | fields
        return paraph.Connection(self.url, self.token, **values)

    def pending(self) -> list[dict[str, Any]]:
        params = {"project": self.id, "status": "pending"}
        return self.person.send("GET", "hitl/requests/", params=params).json()["results"]

    def order_of(self, request: dict[str, Any]) -> str:
        action = self.person.send("GET", f"actions/{request['agent_action']}/").json()
        return action["arguments"]["order"]

    def decide(
        self,
        action: str = "approve",
        by: int = 0,
        request: dict[str, Any] | None = None,
        **data: Any,
    ) -> dict[str, Any]:
        """On this request, or on the next one that there is."""
        limit = time.monotonic() + 90
        while request is None and not (pending := self.pending()):
            assert time.monotonic() < limit, "nobody has asked"
            time.sleep(0.05)
        request = request or pending[-1]
        request = self.person.send("GET", f"hitl/requests/{request['id']}/").json()
        body = {"action": action, "subject_digest": request["subject_digest"]} | data
        path = f"hitl/requests/{request['id']}/decisions/"
        return self.people[by].send("POST", path, body).json()["request"]

    def amend(self, content: dict[str, Any]) -> None:
        """And another person approves what was written."""
        self.decide("amend", content=content)
        self.decide(by=1)

    def actions(self) -> list[dict[str, Any]]:
        return self.person.send("GET", f"projects/{self.id}/actions/").json()["results"]

    def status(self) -> str:
        return self.actions()[0]["status"]


@pytest.fixture
def home(installation: Installation, owner: paraph.Client, people: list[paraph.Client]) -> Home:
    return Home(installation, owner, people)


@pytest.fixture
def client(home: Home) -> Iterator[paraph.Client]:
    with paraph.Client(connection=home.connection()) as client:
        yield client


@pytest.fixture
def meanwhile() -> Iterator[Callable[..., None]]:
    """Does something in another thread; what it raised is raised at the end of the test."""
    threads, errors = [], []

    def start(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        def work() -> None:
            try:
                function(*args, **kwargs)
            except BaseException as error:
                errors.append(error)

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


def python(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Another process with this Python."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
