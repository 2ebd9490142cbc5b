"""`paraph demo`: the whole of it, against a server that it starts and stops."""

import argparse
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from paraph.client import Client
from paraph.command.exits import YES
from paraph.command.people import show
from paraph.connection import Connection
from paraph.errors import EffectExists, NotExecuted, ParaphError
from paraph.gated import gate

Parsers = Any
LISTENING = re.compile(r"http://127\.0\.0\.1:\d+")
HIDDEN = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DATA_DIR"}


def add_commands(commands: Parsers) -> None:
    demo = commands.add_parser("demo", help="start a server, ask, decide, run, and see it refused")
    demo.add_argument(
        "--server",
        type=Path,
        default=Path(__file__).resolve().parents[3],
        help="the folder with its manage.py (default: where this library lies)",
    )
    demo.add_argument("--yes", action="store_true", help="decide without asking you")
    demo.set_defaults(run=run_demo)


@contextmanager
def started_server(folder: Path) -> Iterator[tuple[str, str]]:
    """All of the product, for a while: its address and the token of its admin."""
    if not (folder / "manage.py").exists():
        raise ParaphError(f"There is no manage.py in {folder}: name its folder with --server.")
    own = folder / ".venv" / "bin" / "python"
    python, password = str(own if own.exists() else sys.executable), secrets.token_urlsafe(16)
    # PostgreSQL runs as another user, who must reach it.
    data = Path(tempfile.mkdtemp(prefix="paraph-demo-"))
    data.chmod(0o711)
    environment = {name: value for name, value in os.environ.items() if name not in HIDDEN}
    environment |= {
        "ADMIN_PASSWORD": password,
        "GRANT_KEY_FILE": str(data / "grants.json"),
        # There is one person here, who makes the credential and decides.
        "HITL_PREVENT_SELF_APPROVAL": "false",
    }
    command = [python, "manage.py", "up", "--port", "0", "--data-dir", str(data / "data")]
    process = subprocess.Popen(
        [*command, "--stop-with-parent"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101
    try:
        printed = ""
        for line in process.stdout:
            printed += line
            if "Ctrl-C stops everything" in line:
                break
        else:
            raise ParaphError(f"The server did not start:\n{printed}")
        threading.Thread(target=process.stdout.read, daemon=True).start()
        found = LISTENING.search(printed)
        url = found[0] if found else ""
        body = {"username": "admin", "password": password}
        answer = httpx.post(f"{url}/api/v1/auth/token/", json=body, timeout=60)
        yield url, answer.json()["token"]
    finally:
        process.terminate()
        process.wait(90)
        shutil.rmtree(data, ignore_errors=True)


def run_demo(options: argparse.Namespace) -> int:
    print("Starting a server of its own; it takes a moment.")
    with (
        started_server(options.server) as (url, token),
        Client(connection=Connection(url, token)) as person,
    ):
        body = {"name": "Demo", "brief": "Refunds of lost parcels.", "workflow": "none"}
        project = person.send("POST", "projects/", body).json()["id"]
        credential = {"name": "support", "scopes": ["ask"]}
        made = person.send("POST", f"projects/{project}/credentials/", credential).json()
        connection = Connection(url, made["token"], project, "support")
        with Client(connection=connection) as agent:
            _show_gate(agent, person, is_asked=sys.stdin.isatty() and not options.yes)
        log = person.send("GET", "audit/verify/", params={"project": project}).json()
        print(f"The log of {log['events']} events is valid: {log['valid']}.")
    return YES


def _show_gate(agent: Client, person: Client, *, is_asked: bool) -> None:
    @gate(effect="refund:{order}", why="The parcel was lost.", client=agent)
    def refund(order: str, amount: float) -> str:
        print(f"  … refunding {amount} for {order}")
        return f"refund of {order}"

    print("\nAn agent calls refund('1234', 12.5), and waits. This is what a person sees:\n")
    results: list[str] = []

    def call() -> None:
        try:
            results.append(refund("1234", 12.5))
        except NotExecuted as error:
            results.append(str(error))

    calling = threading.Thread(target=call)
    calling.start()
    requests: list[dict[str, Any]] = []
    while not requests:
        params = {"status": "pending"}
        requests = person.send("GET", "hitl/requests/", params=params).json()["results"]
    path = f"hitl/requests/{requests[0]['id']}/"
    request = person.send("GET", path).json()
    show(person, request)
    is_yes = not is_asked or input("\napprove? Write yes: ").strip() == "yes"
    body: dict[str, Any] = {"subject_digest": request["subject_digest"], "action": "approve"}
    if not is_yes:
        body |= {"action": "reject", "comment": "Not today."}
    person.send("POST", f"{path}decisions/", body)
    print(f"\nThe person says {'yes' if is_yes else 'no'}.")
    calling.join()
    print(f"The agent got: {results[0]}")
    if is_yes:
        print(f"Called again, it does not run again: {refund('1234', 12.5)}")
        try:
            refund("1234", 1250)
        except EffectExists as error:
            print(f"With another amount: {error}")
