"""Whatever a provider does, the work ends in a clear state, and what it took is counted.

The table in docs/models.md says the same in words.
"""

import json
import socket
import struct
import threading
from contextlib import contextmanager

import pytest
from pydantic import BaseModel, Field

from agents.models import TaskAttempt, ToolUse
from agents.protocols import Assignment, PermanentError, TransientError
from agents.providers.breaker import forget_breakers
from agents.providers.endpoints import Endpoint
from agents.providers.event_loop import run_on_loop
from agents.providers.llm import LLMModel
from agents.providers.options import ModelOptions
from agents.worker.run import run
from hitl.models import HitlRequest
from tests.eight_turns import ADDING, BUILD, DELIVERED, TESTS
from tests.openai_server import OpenAIServer, call, hang, raw, refusal, reply
from tests.scenes import WORKER, current, decide_as, fresh, make_due, started
from tests.ui.web.conftest import logged_in

DELIVER = "deliver_project_plan"
HTTP_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


class Plan(BaseModel):
    title: str = Field(min_length=3, max_length=200)
    steps: list[str] = Field(min_length=1)


@pytest.fixture(autouse=True)
def _breakers():
    yield
    forget_breakers()


def produce(base_url):
    endpoint = Endpoint("bad", "openai-chat", base_url, "sk-test")
    model = LLMModel("bad:model", ModelOptions(500), lambda name: endpoint)
    work = Assignment("Library", "analyst", "plan", "plan", 1, "Plan.", "A brief.", ())
    answer = model.produce(
        work, artifact_type="project_plan", output_type=Plan, instructions="You plan."
    )
    return run_on_loop(answer)


def echo(server, request):
    return reply(request, {"content": request["messages"][-1]["content"]}, "stop")


def wrong(content):
    return call(DELIVER, content)


# What it does, how the attempt ends, how many requests that took, and the tokens that were counted.
TABLE = {
    "429": ([refusal(429)], TransientError, "model_rate_limited", 1, 0),
    "500": ([refusal(500)], TransientError, "model_unavailable", 1, 0),
    "401": ([refusal(401)], PermanentError, "model_unauthorized", 1, 0),
    "no JSON": ([raw(b'{"choices": [')], TransientError, "model_malformed_answer", 1, None),
    "cut arguments": (
        [call(DELIVER, '{"title": "Li', finish_reason="length")],
        *(PermanentError, "model_output_too_long", 1, 100),
    ),
    "wrong schema": (
        [wrong({"name": "Library"})] * 2,
        *(PermanentError, "model_malformed_answer", 2, 200),
    ),
    "ten megabytes": (
        [wrong({"title": "x" * 10_000_000, "steps": ["a"]})],
        *(PermanentError, "model_output_too_long", 1, 100),
    ),
    "echo": ([echo] * 2, PermanentError, "model_malformed_answer", 2, 200),
}


@pytest.mark.parametrize("what", TABLE)
def test_an_attempt_ends_clearly_and_is_counted(what):
    behaviours, kind, code, calls, tokens = TABLE[what]
    with OpenAIServer() as server:
        server.then(*behaviours)
        with pytest.raises(kind) as ended:
            produce(server.base_url)

    error = ended.value
    assert (error.code, error.usage.calls, error.usage.input_tokens) == (code, calls, tokens)
    assert error.detail


def test_a_provider_that_hangs_is_given_up_in_time(settings):
    settings.MODEL_TIMEOUT_SECONDS = 0.3
    with OpenAIServer() as server:
        server.then(hang())
        with pytest.raises(TransientError, match="model_timeout"):
            produce(server.base_url)


def test_an_answer_that_drips_is_given_up_in_time(settings):
    settings.MODEL_TIMEOUT_SECONDS = 0.3

    def drip(connection, ended):
        connection.sendall(HTTP_HEAD)
        while not ended.wait(0.02):
            connection.sendall(b" ")

    with raw_server(drip) as url, pytest.raises(TransientError, match="model_timeout") as given_up:
        produce(url)
    assert given_up.value.usage.calls == 1


@pytest.mark.parametrize("sent", [b"", HTTP_HEAD + b'{"choices": ['])
def test_a_connection_that_is_reset_is_tried_again(sent):
    def reset(connection, ended):
        connection.sendall(sent)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    with raw_server(reset) as url, pytest.raises(TransientError, match="model_connection") as lost:
        produce(url)
    assert lost.value.usage.calls == 1


def test_another_language_is_content_for_the_person_who_signs():
    plan = {"title": "Bücherei", "steps": ["Lesen"]}
    with OpenAIServer() as server:
        server.contents["project_plan"] = plan

        answer = produce(server.base_url)

        assert answer.content == Plan(**plan)
        assert json.dumps(server.requests[0]).count("A brief.") == 1


def deliver(content):
    return call("deliver_source_code", content)


# The same within an agent's turns; requests and tokens with those of the good turn before it.
IN_TURNS = {
    "500": ([refusal(500)], "transient_error", "model_unavailable", 2, 100),
    "401": ([refusal(401)], "permanent_error", "model_unauthorized", 2, 100),
    "no JSON": (
        [raw(b'{"choices": [')],
        *("transient_error", "model_malformed_answer", 2, None),
    ),
    "wrong schema": (
        [deliver({"name": "Adding"})] * 2,
        *("permanent_error", "model_malformed_answer", 3, 300),
    ),
    "ten megabytes": (
        [deliver(DELIVERED | {"summary": "x" * 10_000_000})],
        *("permanent_error", "model_output_too_long", 2, 200),
    ),
    "hangs": ([hang()], "transient_error", "model_timeout", 2, None),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("what", IN_TURNS)
def test_within_an_agents_turns_only_the_bad_one_is_lost_and_a_person_can_mend_it(
    project, approver, settings, what
):
    behaviours, outcome, code, requests, tokens = IN_TURNS[what]

    def first_turn(server, request):
        # From here on.
        settings.MODEL_TIMEOUT_SECONDS = 0.3 if what == "hangs" else 300
        written = {"adding.py": ADDING, "tests/test_adding.py": TESTS}
        write = [("write", {"path": path, "content": text}) for path, text in written.items()]
        return server.several(request, *write)

    with OpenAIServer() as server:
        settings.MODEL_ENDPOINTS = {"bad": Endpoint("bad", "openai-chat", server.base_url, "k")}
        settings.AGENT_MODELS = settings.AGENT_MODELS | {"coder": "bad:model"}
        server.contents["source_code"] = DELIVERED
        server.then(first_turn, *behaviours)
        task = current(started(project, BUILD), "build")
        run(task_id=task.pk, worker=WORKER)

        attempt = TaskAttempt.objects.get(task=task)
        assert (attempt.outcome, attempt.error_code) == (outcome, code)
        assert (attempt.calls, attempt.input_tokens) == (requests, tokens)
        settings.MODEL_TIMEOUT_SECONDS = 300
        if outcome == "permanent_error":
            request = HitlRequest.objects.get(project=project)
            decide_as(approver, request, "try_again", comment="")
        make_due(task)
        run(task_id=task.pk, worker=WORKER)

    assert fresh(task).status == "completed"
    assert len(server.requests) == requests + 1
    assert ToolUse.objects.filter(task=task).count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_wrong_field_is_named_in_the_attempt_in_the_request_and_on_its_page(
    project, approver, settings, client_of
):
    with OpenAIServer() as server:
        settings.MODEL_ENDPOINTS = {"bad": Endpoint("bad", "openai-chat", server.base_url, "k")}
        settings.AGENT_MODELS = settings.AGENT_MODELS | {"coder": "bad:model"}
        server.then(*[deliver(DELIVERED | {"entry_point": 7})] * 2)
        task = current(started(project, BUILD), "build")
        run(task_id=task.pk, worker=WORKER)

    request = HitlRequest.objects.get(project=project)
    shown = client_of(approver).get(f"/api/v1/hitl/requests/{request.pk}/").json()
    page = logged_in(approver).get(f"/admin/hitl/hitlrequest/{request.pk}/change/")
    for text in (
        TaskAttempt.objects.get(task=task).error_detail,
        json.dumps(shown["subject"]),
        page.content.decode(),
    ):
        assert "entry_point" in text
        assert "valid string" in text


@contextmanager
def raw_server(behave):
    """Reads a request, and then does with the connection whatever it likes."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def serve():
        while not ended.is_set():
            try:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1_000_000)
                    behave(connection, ended)
            except OSError:
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
