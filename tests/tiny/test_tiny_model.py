"""A real model, much too small for the work: whatever it says, the work ends in a clear state."""

import os
import subprocess
from pathlib import Path

import pytest

from agents.models import ModelCall, ModelExchange, TaskAttempt
from agents.providers.endpoints import Endpoint
from agents.worker.run import run
from hitl.models import HitlRequest
from tests.eight_turns import BUILD
from tests.scenes import WORKER, current, fresh, make_due, started
from tests.whole_logs import whole_logs

__all__ = ["whole_logs"]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("whole_logs"),
    pytest.mark.timeout(1800),
]

SERVE = Path(__file__).with_name("serve.py")
BRIEF = "Write a program that adds two numbers, and a test of it."
#: What a server is spoken to, and how a model hands in its work.
WAYS = [("openai-chat", "tools"), ("openai-chat", "schema"), ("anthropic", "tools")]


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    command = [os.environ["TINY_PYTHON"], str(SERVE), str(tmp_path_factory.mktemp("model"))]
    log = (tmp_path_factory.mktemp("log") / "llama.log").open("w")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
    ) as server:
        lines = iter(server.stdout.readline, "")
        yield next(line.strip() for line in lines if line.startswith("http"))
        server.kill()


@pytest.mark.parametrize(("speaks", "output"), WAYS)
def test_whatever_it_says_the_run_ends_in_a_clear_state(
    make_project, settings, address, speaks, output
):
    url = address if speaks == "anthropic" else f"{address}/v1"
    settings.MODEL_ENDPOINTS = {"tiny": Endpoint("tiny", speaks, url, output=output)}
    settings.AGENT_MODELS = settings.AGENT_MODELS | {"coder": "tiny:gemma-3-270m"}
    settings.MODEL_MAX_TOKENS, settings.MODEL_TIMEOUT_SECONDS = 120, 120
    settings.AGENT_MAX_TURNS = 2
    project = make_project(brief=BRIEF)
    task = current(started(project, BUILD), "build")

    while fresh(task).status == "pending":
        make_due(task)
        run(task_id=task.pk, worker=WORKER)

    task = fresh(task)
    attempts = list(TaskAttempt.objects.filter(task=task).order_by("fence"))
    for attempt in attempts:
        print(attempt.number, attempt.outcome, attempt.error_code, attempt.error_detail[:300])
    for exchange in ModelExchange.objects.order_by("id"):
        print(exchange.response[:300])
    assert task.status in ("completed", "waiting_for_hitl")
    assert not ModelCall.objects.filter(state="reserved").exists()
    assert all(attempt.outcome != "running" for attempt in attempts)
    if task.status == "waiting_for_hitl":
        request = HitlRequest.objects.get(project=project, status="pending")
        # A question of its own, or a fault that says what it is.
        assert request.kind == "clarification" or attempts[-1].error_detail
