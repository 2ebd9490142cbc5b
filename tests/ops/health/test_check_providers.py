"""`check_providers` over real HTTP against a local server."""

import json
import time

import pytest
from django.core.management import CommandError, call_command

from agents.models import ProviderCheck
from agents.protocols import Reply, Usage
from ops.health.check import checks
from tests.openai_server import OpenAIServer, hang, raw, refusal

pytestmark = pytest.mark.django_db

KEY = "sk-not-to-be-seen-anywhere"
TEXT = "openai-chat:test-model"


@pytest.fixture
def server(settings):
    with OpenAIServer() as running:
        settings.OPENAI_API_KEY = KEY
        settings.OPENAI_BASE_URL = running.base_url
        settings.AGENT_MODELS = {"analyst": TEXT, "coder": TEXT, "tester": "demo"}
        yield running


def check(capsys, *arguments):
    """Whether it was all well, and what it printed."""
    try:
        call_command("check_providers", *arguments)
        is_well = True
    except CommandError as error:
        print(error)
        is_well = False
    said = capsys.readouterr()
    return is_well, said.out + said.err


def report(capsys, *arguments):
    is_well, text = check(capsys, "--json", *arguments)
    body, _ = json.JSONDecoder().raw_decode(text)
    assert body["ok"] == is_well
    return body


def noted():
    one = ProviderCheck.objects.get(provider="openai-chat")
    return one.succeeded_at is not None, one.error_code


def llm(client):
    checks["llm_providers"].forget()
    return client.get("/health/detailed").json()["components"]["llm_providers"]


def test_a_provider_that_answers_is_called_once_with_next_to_nothing(server, capsys):
    is_well, text = check(capsys)

    assert is_well
    assert text.startswith(f"ok: {TEXT}, ")
    assert text.endswith(" ms, for analyst, coder\n")
    (request,) = server.requests
    assert request.get("max_completion_tokens", request.get("max_tokens")) == 16
    assert len(json.dumps(request)) < 300
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert noted() == (True, "")


def test_the_report_for_programs_names_provider_model_and_agents(server, capsys):
    body = report(capsys)

    (one,) = body["providers"]
    assert one.pop("latency_ms") > 0
    assert one == {
        "provider": "openai-chat",
        "model": "test-model",
        "agents": ["analyst", "coder"],
        "ok": True,
        "error_code": None,
        "detail": None,
        "remedy": None,
    }
    assert body["message"] == ""


@pytest.mark.parametrize(
    ("behaviour", "code", "remedy"),
    [
        (refusal(401, message=f"bad key {KEY}"), "model_unauthorized", "OPENAI_API_KEY"),
        (refusal(404, message=f"not for {KEY}"), "model_not_found", "MODEL_"),
        (refusal(429, message=KEY), "model_rate_limited", "higher limit"),
        (refusal(500, message=KEY), "model_unavailable", "status page"),
        (raw(KEY.encode()), "model_malformed_answer", "/v1"),
    ],
)
def test_a_failure_has_a_class_and_a_remedy_and_no_key(
    server, capsys, caplog, behaviour, code, remedy
):
    caplog.set_level("DEBUG")
    server.then(behaviour, behaviour)

    is_well, text = check(capsys)
    (one,) = report(capsys)["providers"]

    assert not is_well
    assert text.startswith(f"failed: {TEXT}, ")
    assert code in text
    assert remedy in text
    assert (one["ok"], one["error_code"]) == (False, code)
    assert remedy in one["remedy"]
    assert KEY not in text + json.dumps(one) + caplog.text
    assert len(server.requests) == 2
    assert noted() == (False, code)


def test_a_closed_port_is_a_connection_error(server, settings, capsys, closed_port):
    settings.OPENAI_BASE_URL = f"http://127.0.0.1:{closed_port}/v1"

    (one,) = report(capsys)["providers"]

    assert one["error_code"] == "model_connection"
    assert "OPENAI_BASE_URL" in one["remedy"]


def test_a_silent_provider_is_waited_for_as_long_as_asked(server, capsys):
    server.then(hang())
    began = time.monotonic()

    (one,) = report(capsys, "--timeout", "0.3")["providers"]

    assert one["error_code"] == "model_timeout"
    assert one["latency_ms"] >= 300
    assert time.monotonic() - began < 10


def test_several_providers_are_called_side_by_side(server, settings, capsys):
    settings.AGENT_MODELS = {
        "analyst": TEXT,
        "architect": "openai-chat:missing",
        "coder": "nobody:some-model",
        "tester": "demo",
    }
    server.then(refusal(404), refusal(404))

    is_well, text = check(capsys, "--timeout", "20")
    only = report(capsys, "--provider", "nobody")

    assert not is_well
    assert text.endswith("3 of 3 did not answer as they should.\n")
    assert [one["provider"] for one in only["providers"]] == ["nobody"]
    assert only["providers"][0]["error_code"] == "model_misconfigured"
    # Nobody was called, so nothing is known of how it answers.
    assert not ProviderCheck.objects.filter(provider="nobody").exists()


def test_one_of_several_that_fails_fails_the_whole(server, settings, capsys):
    settings.AGENT_MODELS = {"analyst": TEXT, "coder": "nobody:some-model"}

    is_well, text = check(capsys)

    assert not is_well
    assert f"ok: {TEXT}, " in text
    assert "failed: nobody:some-model" in text
    assert check(capsys, "--provider", "openai-chat")[0]


def test_without_a_provider_it_says_so_and_is_well(settings, capsys):
    settings.AGENT_MODELS = {"coder": "demo"}

    is_well, text = check(capsys)
    body = report(capsys)

    assert is_well
    assert text == (
        "No model provider is configured: the demo model serves every agent. "
        "The demo model needs no call.\n"
    )
    assert (body["providers"], body["message"]) == ([], text.strip())


def test_the_demo_model_needs_no_call(server, capsys):
    assert check(capsys, "--provider", "demo") == (True, "The demo model needs no call.\n")
    assert server.requests == []


def test_a_provider_that_serves_no_agent_is_refused_with_those_that_do(server, capsys):
    is_well, text = check(capsys, "--provider", "anthropic")

    assert not is_well
    assert text.endswith("MODEL_... name: demo, openai-chat.\n")


@pytest.mark.parametrize("seconds", ["0", "-1", "soon", "nan", "601"])
def test_a_time_out_without_sense_is_refused(server, capsys, seconds):
    is_well, text = check(capsys, "--timeout", seconds)

    assert not is_well
    assert "--timeout" in text
    assert server.requests == []


class Silent:
    def produce(self, *arguments, **wanted):
        time.sleep(5)


class Talkative:
    def produce(self, *arguments, **wanted):
        raise RuntimeError(KEY)


class Fine:
    def produce(self, assignment, *, artifact_type, output_type, instructions):
        return Reply(output_type(text="ok"), Usage("fine"))


def test_a_provider_of_ones_own_is_given_a_small_piece_of_work(settings, capsys):
    settings.MODEL_PROVIDERS = {
        name: f"{__name__}.{name.capitalize()}" for name in ("silent", "talkative", "fine")
    }
    settings.AGENT_MODELS = {"coder": "fine", "tester": "silent", "deployer": "talkative"}

    body = report(capsys, "--timeout", "0.2")

    codes = {one["provider"]: one["error_code"] for one in body["providers"]}
    assert codes == {"fine": None, "silent": "model_timeout", "talkative": "internal_error"}
    assert KEY not in json.dumps(body)


@pytest.mark.django_db(transaction=True)
def test_health_shows_what_the_check_has_found(server, client, capsys):
    assert llm(client)["providers"]["openai-chat"]["last_success_at"] is None
    server.then(refusal(401))
    check(capsys)
    refused = llm(client)
    check(capsys)
    answered = llm(client)

    assert refused["status"] == "unhealthy"
    assert refused["providers"]["openai-chat"]["last_error_code"] == "model_unauthorized"
    assert answered["status"] == "healthy"
    assert answered["providers"]["openai-chat"]["last_success_at"] is not None
    assert answered["providers"]["openai-chat"]["last_error_code"] == "model_unauthorized"


@pytest.mark.django_db(transaction=True)
def test_one_model_of_a_provider_that_fails_is_not_hidden_by_another(
    server, client, settings, capsys
):
    settings.AGENT_MODELS = {"analyst": "openai-chat:missing", "coder": TEXT}
    server.valid = lambda request: (
        refusal(404)(server, request)
        if request["model"] == "missing"
        else OpenAIServer.valid(server, request)
    )

    check(capsys)

    assert llm(client)["status"] == "unhealthy"
