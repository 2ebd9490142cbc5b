"""Endpoints, options of models, and what stands in for one that fails; over real HTTP."""

import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from prometheus_client import REGISTRY
from pydantic import BaseModel, Field

from agents.endpoints.services import endpoint_of
from agents.endpoints.trial import try_endpoint
from agents.models import ModelEndpoint
from agents.protocols import Assignment, PermanentError
from agents.providers import gen_ai
from agents.providers.breaker import FAILURES, closed_of, forget_breakers
from agents.providers.endpoints import Endpoint
from agents.providers.event_loop import run_on_loop
from agents.providers.llm import LLMModel
from agents.providers.options import ModelOptions
from core.tracing import trace_with
from orchestrator.environment import read_endpoints, read_prefixed
from tests.openai_server import OpenAIServer, raw, refusal, reply
from tests.wire_servers import AnthropicServer, GoogleServer, OllamaServer

KEY = "sk-not-to-be-seen-anywhere"
SERVERS = {
    "openai-chat": OpenAIServer,
    "ollama": OllamaServer,
    "anthropic": AnthropicServer,
    "google": GoogleServer,
}
pytestmark = pytest.mark.django_db
ASSIGNMENT = Assignment(
    "Library", "analyst", "plan", "plan", 1, "Plan it.", "A brief.", ("project_plan",)
)


class Plan(BaseModel):
    title: str = Field(min_length=3)
    steps: list[str] = Field(min_length=1)


@pytest.fixture(autouse=True)
def _breakers():
    forget_breakers()
    yield
    forget_breakers()


@pytest.fixture
def server():
    with OpenAIServer() as running:
        yield running


def produce(model):
    answer = model.produce(
        ASSIGNMENT, artifact_type="project_plan", output_type=Plan, instructions="You plan."
    )
    return run_on_loop(answer)


def model_at(server, kind="openai-chat", options=None, **fields):
    endpoint = Endpoint("local", kind, server.base_url, KEY, **fields)
    options = options or ModelOptions(500)
    return LLMModel("local:test-model", options, lambda name: endpoint)


@pytest.mark.parametrize("kind", SERVERS)
def test_a_model_delivers_in_each_wire_format(kind):
    with SERVERS[kind]() as server:
        server.contents["project_plan"] = {"title": "Library", "steps": ["Read"]}

        reply = produce(model_at(server, kind, headers={"X-Team": "library"}))

        assert reply.content == Plan(title="Library", steps=["Read"])
        usage = reply.usage
        assert (usage.provider, usage.model, usage.calls) == ("local", "test-model", 1)
        assert (usage.input_tokens, usage.output_tokens) == (100, 20)
        assert usage.cost_micros is None
        headers = server.headers[0]
        assert headers["x-team"] == "library"
        assert KEY in headers["x-goog-api-key" if kind == "google" else "authorization"]


@pytest.mark.parametrize("kind", SERVERS)
def test_a_failure_has_its_code_in_each_wire_format(kind):
    with SERVERS[kind]() as server:
        server.then(refusal(401))
        with pytest.raises(PermanentError, match="model_unauthorized"):
            produce(model_at(server, kind))


def test_anthropic_is_asked_to_cache_what_stays_the_same():
    with AnthropicServer() as server:
        produce(model_at(server, "anthropic"))

        assert "cache_control" in json.dumps(server.requests[0])


def test_temperature_seed_and_reasoning_are_sent(server):
    options = ModelOptions(500, temperature=0.5, seed=7, reasoning="low")

    produce(model_at(server, options=options))

    request = server.requests[0]
    assert (request["temperature"], request["seed"]) == (0.5, 7)
    assert 500 in (request.get("max_tokens"), request.get("max_completion_tokens"))


@pytest.mark.parametrize("output", ["schema", "text"])
def test_a_server_without_forced_calls_of_functions_is_asked_for_json(server, output):
    plan = {"title": "Library", "steps": ["Read"]}
    answer = json.dumps({"result": {"kind": "Plan", "data": plan}})
    server.then(lambda server, request: reply(request, {"content": answer}, "stop"))

    content = produce(model_at(server, output=output)).content

    assert content == Plan(**plan)
    assert not server.requests[0].get("tools")
    form = server.requests[0]["response_format"]["type"]
    assert form == {"schema": "json_schema", "text": "json_object"}[output]
    assert "by calling the function" not in json.dumps(server.requests[0])


@pytest.fixture
def pair(server):
    """A model with one that stands in for it, each at a server of its own."""
    with OpenAIServer() as second:
        places = {
            "first": Endpoint("first", "openai-chat", server.base_url, KEY, {"X-Own": "first"}),
            "second": Endpoint("second", "openai-chat", second.base_url, "another-key"),
        }
        options = ModelOptions(500, fallbacks=("second:other-model",))
        yield LLMModel("first:test-model", options, places.__getitem__), server, second


def test_another_model_stands_in_for_one_that_fails(pair):
    model, first, second = pair
    first.then(refusal(503))

    usage = produce(model).usage

    assert (usage.provider, usage.model, usage.calls) == ("second", "other-model", 2)
    assert (len(first.requests), len(second.requests)) == (1, 1)
    # Neither the key nor the headers of the first go to the second.
    assert "x-own" not in second.headers[0]
    assert KEY not in json.dumps(second.headers[0])


def test_no_model_of_the_installation_stands_in_for_one_of_a_project(pair):
    _, first, second = pair
    own = Endpoint("own", "openai-chat", first.base_url, KEY, is_of_project=True)
    shared = Endpoint("second", "openai-chat", second.base_url, "another-key")
    options = ModelOptions(500, fallbacks=("second:other-model",))
    first.then(refusal(503))

    with pytest.raises(Exception, match="model_unavailable"):
        produce(LLMModel("own:test-model", options, {"own": own, "second": shared}.__getitem__))

    assert second.requests == []


def test_a_model_that_keeps_failing_is_left_alone(pair):
    model, first, _ = pair
    first.then(*[refusal(500)] * FAILURES)

    for _ in range(FAILURES + 2):
        produce(model)

    assert len(first.requests) == FAILURES
    assert closed_of(("first:test-model", "second:other-model")) == ("second:other-model",)


def test_where_all_fail_the_work_is_tried_again_if_any_may_come_back(pair):
    model, first, second = pair
    first.then(refusal(401))
    second.then(refusal(503))

    with pytest.raises(Exception, match="model_unavailable"):
        produce(model)


def test_endpoints_come_from_variables_with_their_name(monkeypatch, tmp_path):
    (tmp_path / "key").write_text("secret-of-a-file\n")
    variables = {
        "ENDPOINT_MY_BOX": "ollama",
        "ENDPOINT_MY_BOX_URL": "http://box:11434/v1",
        "ENDPOINT_MY_BOX_API_KEY_FILE": str(tmp_path / "key"),
        "ENDPOINT_MY_BOX_HEADERS": "X-Team: library; X-Other: 1",
        "ENDPOINT_MY_BOX_OUTPUT": "text",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    endpoint = read_endpoints(["my-box"])["my-box"]

    assert (endpoint.kind, endpoint.base_url) == ("ollama", "http://box:11434/v1")
    assert (endpoint.key, endpoint.output) == ("secret-of-a-file", "text")
    assert endpoint.headers == {"X-Team": "library", "X-Other": "1"}
    assert "secret-of-a-file" not in repr(endpoint)


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("ENDPOINT_BOX", "", "ENDPOINT_BOX is not set"),
        ("ENDPOINT_BOX", "smoke-signals", "ENDPOINT_BOX is 'smoke-signals'"),
        ("ENDPOINT_BOX_URL", "box", "ENDPOINT_BOX_URL is 'box'"),
        ("ENDPOINT_BOX_OUTPUT", "loud", "ENDPOINT_BOX_OUTPUT is 'loud'"),
        ("ENDPOINT_BOX_HEADERS", "nonsense", "ENDPOINT_BOX_HEADERS is 'nonsense'"),
    ],
)
def test_a_variable_of_an_endpoint_that_cannot_be_read_is_named(
    monkeypatch, variable, value, named
):
    monkeypatch.setenv("ENDPOINT_BOX", "openai-chat")
    monkeypatch.setenv(variable, value)

    with pytest.raises(ImproperlyConfigured, match=named):
        read_endpoints(["box"])


def test_options_of_one_agent_have_its_name(monkeypatch):
    from orchestrator.environment import OptionVariables

    monkeypatch.setenv("MODEL_CODER_TEMPERATURE", "0.2")
    monkeypatch.setenv("MODEL_CODER_FALLBACKS", "a:x, b:y")

    options = read_prefixed(OptionVariables, "MODEL_CODER")

    assert (options.TEMPERATURE, options.FALLBACKS) == (0.2, ["a:x", "b:y"])


@pytest.fixture
def local(settings):
    settings.MODEL_ENDPOINT_HOSTS = ["127.0.0.1"]


@pytest.fixture
def api(project, owner, client_of):
    return client_of(owner), f"/api/v1/projects/{project.pk}/model-endpoints/"


@pytest.mark.usefixtures("local")
def test_an_owner_names_an_endpoint_whose_key_nobody_can_read_again(api, project, server):
    client, path = api
    body = {"name": "mine", "speaks": "openai-chat", "base_url": server.base_url}
    body |= {"api_key": KEY, "headers": {"X-Team": "secret-team"}}

    made = client.post(path, body)

    assert made.status_code == 201
    assert made.json()["has_key"] is True
    assert made.json()["header_names"] == ["X-Team"]
    for answer in (made, client.get(path), client.get(f"{path}mine/")):
        assert KEY not in answer.content.decode()
        assert "secret-team" not in answer.content.decode()
    stored = ModelEndpoint.objects.values().get()
    assert KEY not in json.dumps(stored, default=str)
    assert endpoint_of(project, "mine").key == KEY


@pytest.mark.usefixtures("local")
def test_another_address_never_gets_the_key_of_the_one_before(api, project, server):
    client, path = api
    body = {"name": "mine", "speaks": "openai-chat", "base_url": server.base_url, "api_key": KEY}
    client.post(path, body)

    moved = client.patch(f"{path}mine/", {"base_url": "http://127.0.0.1:1/v1"})

    assert moved.json()["has_key"] is False
    assert endpoint_of(project, "mine").key == ""


def test_an_endpoint_of_a_project_never_stands_on_the_key_or_address_of_the_installation(
    api, project, monkeypatch
):
    client, path = api
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-operators")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://10.0.0.1/v1")
    body = {"name": "mine", "speaks": "openai-chat"}

    for speaks, field in (("openai-chat", "api_key"), ("ollama", "base_url")):
        refused = client.post(path, body | {"speaks": speaks})
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["field"] == field

    assert client.post(path, body | {"api_key": KEY}).status_code == 201
    own = endpoint_of(project, "mine").provider().client
    assert (own.api_key, str(own.base_url)) == (KEY, "https://api.openai.com/v1/")
    # One of an earlier release.
    ModelEndpoint.objects.update(encrypted_secret="", has_key=False)
    with pytest.raises(PermanentError, match="needs a key of yours"):
        endpoint_of(project, "mine")


@pytest.mark.usefixtures("local")
def test_the_test_button_tells_what_came_of_one_call(api, project, server):
    client, path = api
    client.post(path, {"name": "mine", "speaks": "openai-chat", "base_url": server.base_url})
    asked = client.post(f"{path}mine/test/", {"model": "test-model"})
    assert asked.status_code == 202
    server.then(refusal(401))

    try_endpoint(ModelEndpoint.objects.get().pk)

    found = client.get(f"{path}mine/").json()
    assert found["test_error_code"] == "model_unauthorized"
    assert found["tested_at"] is not None
    client.post(f"{path}mine/test/", {"model": "test-model"})
    try_endpoint(ModelEndpoint.objects.get().pk)
    assert client.get(f"{path}mine/").json()["test_error_code"] == ""


def test_only_hosts_that_the_operator_allows_can_be_named(api):
    client, path = api

    for url in ("http://127.0.0.1/v1", "http://api.openai.com/v1", "https://169.254.169.254/"):
        refused = client.post(path, {"name": "mine", "speaks": "openai", "base_url": url})
        assert refused.status_code == 400
        assert refused.json()["errors"][0]["field"] == "base_url"
    good = {"name": "mine", "speaks": "anthropic", "base_url": "https://api.anthropic.com"}
    assert client.post(path, good).status_code == 201


def test_members_see_endpoints_and_owners_alone_change_them(
    api, approver, viewer, outsider, client_of
):
    client, path = api
    body = {"name": "mine", "speaks": "anthropic", "api_key": KEY}
    assert client.post(path, body).status_code == 201

    assert client_of(viewer).get(path).json()["count"] == 1
    assert client_of(approver).delete(f"{path}mine/").status_code == 403
    assert client_of(approver).post(path, {}).status_code == 403
    assert client_of(outsider).get(path).status_code == 404
    assert client.post(path, {"name": "mine", "speaks": "google"}).status_code == 409
    assert client.post(path, {"name": "openai", "speaks": "google"}).status_code == 400


def test_an_agent_is_given_a_model_of_an_endpoint_that_there_is(api, project):
    client, path = api
    client.post(path, {"name": "mine", "speaks": "anthropic", "api_key": KEY})
    place = f"/api/v1/projects/{project.pk}/"

    wrong = client.patch(place, {"agent_models": {"coder": "nobodys:model"}})
    right = client.patch(place, {"agent_models": {"coder": "mine:model"}})

    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["field"] == "agent_models.coder"
    assert right.json()["agent_models"] == {"coder": "mine:model"}
    assert client.delete(f"{path}mine/").json()["code"] == "in_use"


def test_the_page_of_models_shows_no_key_and_saves(project, owner, viewer, client):
    User.objects.update(is_staff=True)
    path = f"/admin/projects/project/{project.pk}/models/"
    client.force_login(owner)

    form = {"verb": "endpoint", "name": "mine", "speaks": "anthropic", "output": "tools"}
    saved = client.post(path, form | {"api_key": KEY})
    models = client.post(path, {"verb": "agents", "coder": "mine:claude-x"})

    assert (saved.status_code, models.status_code) == (302, 302)
    page = client.get(path).content.decode()
    assert "with a key" in page
    assert KEY not in page
    project.refresh_from_db()
    assert project.agent_models == {"coder": "mine:claude-x"}
    wrong = client.post(path, {"verb": "agents", "coder": "nobodys:model"})
    assert wrong.status_code == 400
    assert "no model that this project can use" in wrong.content.decode()
    client.force_login(viewer)
    assert client.post(path, form).status_code == 403


def test_a_garbled_answer_of_any_server_is_malformed():
    for kind, kind_of_server in SERVERS.items():
        with kind_of_server() as server:
            server.then(raw(b"<html>busy</html>", "text/html"))
            with pytest.raises(Exception, match="model_malformed_answer"):
                produce(model_at(server, kind))


def test_names_of_traces_are_those_of_the_conventions():
    package = "opentelemetry.semconv._incubating.attributes.gen_ai_attributes"
    known = {name for name in vars(pytest.importorskip(package)).values() if is_name(name)}

    ours = {name for name in vars(gen_ai).values() if is_name(name)}

    assert len(ours) >= 10
    assert ours <= known


def is_name(value):
    return isinstance(value, str) and value.startswith("gen_ai.")


def test_each_request_is_a_span_of_its_own_that_says_nothing_of_the_contents(server):
    spans, labels = [], {"gen_ai_operation_name": "chat", "gen_ai_request_model": "test-model"}
    labels |= {"gen_ai_provider_name": "openai", "gen_ai_token_type": "input"}
    tokens = "gen_ai_client_token_usage_sum"
    before = REGISTRY.get_sample_value(tokens, labels) or 0

    class Spans:
        @contextmanager
        def named_span(self, name, facts, *, is_client):
            spans.append((name, is_client, dict(facts)))
            yield SimpleNamespace(add=spans[-1][2].update, fail=lambda code: None)

    trace_with(Spans())
    try:
        produce(model_at(server))
    finally:
        trace_with(None)

    ((name, is_client, facts),) = spans
    assert (name, is_client) == ("chat test-model", True)
    assert facts["gen_ai.provider.name"] == "openai"
    assert (facts["gen_ai.usage.input_tokens"], facts["gen_ai.usage.output_tokens"]) == (100, 20)
    assert facts["server.address"] == "127.0.0.1"
    assert REGISTRY.get_sample_value(tokens, labels) == before + 100
    assert "A brief." not in str(facts)
