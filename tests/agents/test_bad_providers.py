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

from agents.protocols import Assignment, PermanentError, TransientError
from agents.providers.breaker import forget_breakers
from agents.providers.endpoints import Endpoint
from agents.providers.event_loop import run_on_loop
from agents.providers.llm import LLMModel
from agents.providers.options import ModelOptions
from tests.openai_server import OpenAIServer, call, hang, raw, refusal, reply

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
    "429": ([refusal(429)], TransientError, "model_rate_limited", 1, None),
    "500": ([refusal(500)], TransientError, "model_unavailable", 1, None),
    "401": ([refusal(401)], PermanentError, "model_unauthorized", 1, None),
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
