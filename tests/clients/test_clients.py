"""Clients that others' generators make of the API's description, against a real server.

Each creates a project and approves what its agents bring until it is completed, exports it, and
then asks for an action as an agent elsewhere, approves it, claims it and reports how it ended.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import call_command

from hitl.models import AgentAction
from projects.models import Project
from tests.live import WebServer, token_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(600)]

HERE = Path(__file__).parent
PYTHON = Path(os.environ.get("CLIENTS", ".venv-clients")).absolute() / "bin"
TYPESCRIPT = HERE / "typescript"


@pytest.fixture
def description(tmp_path) -> Path:
    file = tmp_path / "paraph.json"
    call_command("spectacular", file=str(file), format="openapi-json")
    return file


@pytest.fixture
def environment(owner, approver, start_worker):
    server = WebServer()
    start_worker()
    yield os.environ | {
        "PARAPH_URL": server.url,
        "PARAPH_OWNER": token_of(owner),
        "PARAPH_APPROVER": token_of(approver),
    }
    server.stop()


def run(*command: object, **options: object) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=500, check=False, **options
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def check_what_happened() -> None:
    """By the program that ran last."""
    project = Project.objects.exclude(workflow="none").latest("created_at")
    action = AgentAction.objects.latest("created_at")
    assert project.status == "completed"
    assert action.project.created_at > project.created_at
    assert action.status == "succeeded"
    assert action.result


def test_a_client_of_python(description, environment, tmp_path):
    client = tmp_path / "paraph_api"
    command = [PYTHON / "openapi-python-client", "generate", "--meta=none", "--fail-on-warning"]
    config = HERE / "openapi_python_client.yaml"
    # It formats what it makes with the ruff beside it.
    path = {"PATH": f"{PYTHON}{os.pathsep}{os.environ['PATH']}"}
    where = [f"--config={config}", f"--path={description}", f"--output-path={client}"]
    run(*command, *where, env=os.environ | path)

    run(
        PYTHON / "python",
        HERE / "python_client.py",
        env=environment | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
    )

    check_what_happened()


@pytest.fixture
def typescript(tmp_path) -> Path:
    """Our programs beside what they need, installed as their lock says."""
    if not shutil.which("npm"):
        pytest.skip("Node is not here")
    folder = tmp_path / "typescript"
    shutil.copytree(TYPESCRIPT, folder, ignore=shutil.ignore_patterns("node_modules"))
    run("npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", cwd=folder)
    return folder


def test_clients_of_typescript(description, typescript, environment, subtests):
    run("npx", "openapi-typescript", description, "--output", "types.d.ts", cwd=typescript)
    run("npx", "openapi-ts", "--input", description, "--output", "sdk", cwd=typescript)
    run("npx", "tsc", cwd=typescript)

    for program in ("openapi_fetch", "hey_api"):
        with subtests.test(program):
            run("node", f"build/{program}.js", env=environment, cwd=typescript)
            check_what_happened()
