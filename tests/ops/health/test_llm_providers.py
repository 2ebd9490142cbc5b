"""What `llm_providers` says after real calls over HTTP, made by the worker's own code."""

from datetime import datetime

import pytest

from agents.models import TaskAttempt
from agents.worker.registry import report_consumer, report_scheduler
from agents.worker.run import run
from ops.health.check import checks
from tests.openai_server import OpenAIServer, raw, refusal
from tests.scenes import running, side_task

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "sk-not-to-be-seen-anywhere"
NAME = "openai-chat"
FIELDS = {"status", "last_success_at", "last_error_at", "last_error_code"}


@pytest.fixture
def server(settings):
    with OpenAIServer() as running_server:
        settings.OPENAI_API_KEY = SECRET
        settings.OPENAI_BASE_URL = running_server.base_url
        settings.AGENT_MODELS = dict.fromkeys(settings.AGENT_TYPES, f"{NAME}:test-model")
        yield running_server


@pytest.fixture
def works(project, server):
    """Let an agent work, once; `behaviour` is what becomes of its calls."""
    running(project)

    def work(*behaviour, agent_type="analyst"):
        server.then(*behaviour)
        run(task_id=side_task(project, agent_type=agent_type).pk, worker="test:1:1")

    return work


def report(client):
    for check in checks:
        check.forget()
    response = client.get("/health/detailed/")
    assert response.status_code == 200
    assert SECRET not in response.content.decode()
    return response.json()


def component(client):
    return report(client)["components"]["llm_providers"]


def test_without_a_provider_it_is_not_configured_and_that_is_well(client, settings):
    settings.AGENT_MODELS = dict.fromkeys(settings.AGENT_TYPES, "demo")
    report_consumer("both@test", ["engine", "agents", "sweep"])
    report_scheduler()

    body = report(client)

    found = body["components"]["llm_providers"]
    assert found.pop("response_time_ms") >= 0
    assert found == {
        "status": "not_configured",
        "message": "the demo model serves every agent",
        "providers": {"openai": {"status": "not_configured"}, "demo": {"status": "healthy"}},
    }
    assert body["status"] == "healthy"
    assert client.get("/health/z").json()["checks"]["llm_providers"] == "pass"


@pytest.mark.usefixtures("server")
def test_a_provider_that_was_never_called_is_healthy(client):
    found = component(client)

    assert (found["status"], found["message"]) == ("healthy", "ok")
    assert set(found["providers"][NAME]) == FIELDS
    assert found["providers"][NAME]["last_success_at"] is None


def test_after_a_call_that_succeeded_it_is_healthy_and_says_when(client, works):
    works()

    found = component(client)
    one = found["providers"][NAME]
    assert (found["status"], one["status"], found["message"]) == ("healthy", "healthy", "ok")
    assert datetime.fromisoformat(one["last_success_at"]).tzinfo is not None
    assert (one["last_error_at"], one["last_error_code"]) == (None, None)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (refusal(503, message=SECRET), "model_unavailable"),
        (refusal(429, message=SECRET), "model_rate_limited"),
        (refusal(504, message=SECRET), "model_timeout"),
        (refusal(422, message=SECRET), "model_rejected"),
        (raw(SECRET.encode()), "model_malformed_answer"),
    ],
)
def test_what_may_pass_by_itself_is_degraded(client, works, behaviour, code):
    works()
    works(behaviour)

    found = component(client)
    one = found["providers"][NAME]
    assert (found["status"], one["status"]) == ("degraded", "degraded")
    assert found["message"] == f"the last call failed: {NAME}"
    assert one["last_error_code"] == code
    assert one["last_error_at"] > one["last_success_at"]


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (refusal(401, message=SECRET), "model_unauthorized"),
        (refusal(402, message=SECRET), "model_quota_exceeded"),
        (refusal(404, message=SECRET), "model_not_found"),
    ],
)
def test_what_does_not_pass_by_itself_is_unhealthy_and_degrades_the_whole(
    client, works, behaviour, code
):
    works(behaviour)

    body = report(client)
    found = body["components"]["llm_providers"]
    assert (found["status"], found["providers"][NAME]["last_error_code"]) == ("unhealthy", code)
    assert body["status"] == "degraded"
    assert client.get("/health/z").json()["checks"]["llm_providers"] == "fail"
    assert client.get("/health/ready").status_code == 200


def test_a_success_after_a_failure_is_healthy_and_remembers_the_failure(client, works):
    works(refusal(401))
    works()

    one = component(client)["providers"][NAME]
    assert (one["status"], one["last_error_code"]) == ("healthy", "model_unauthorized")
    assert one["last_success_at"] > one["last_error_at"]


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("nobody:some-model", "nobody"),
        ("anthropic:claude", "anthropic"),
        ("mine:fast", "mine"),
        ("gpt-x", "gpt-x"),
    ],
)
def test_settings_that_do_not_fit_are_unhealthy(
    client, works, settings, monkeypatch, model, provider
):
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    settings.MODEL_PROVIDERS = {"mine": "no.such.module"}
    settings.AGENT_MODELS = settings.AGENT_MODELS | {"architect": model}

    works(agent_type="architect")

    found = component(client)
    assert (found["status"], found["providers"][NAME]["status"]) == ("unhealthy", "healthy")
    assert found["providers"][provider]["last_error_code"] == "model_misconfigured"
    assert found["message"] == f"the last call failed: {provider}"


def test_the_worst_of_several_providers_counts_and_all_that_fail_are_named(client, works, settings):
    settings.AGENT_MODELS = settings.AGENT_MODELS | {"architect": "nobody:some-model"}
    works(refusal(503))
    works(agent_type="architect")

    found = component(client)
    assert found["status"] == "unhealthy"
    assert found["providers"][NAME]["status"] == "degraded"
    assert found["message"] == f"the last call failed: nobody, {NAME}"


def test_a_provider_that_serves_no_agent_any_more_is_not_shown(client, works, settings):
    works(refusal(401))
    settings.AGENT_MODELS = dict.fromkeys(settings.AGENT_TYPES, "demo")

    found = component(client)
    assert (found["status"], NAME in found["providers"]) == ("not_configured", False)


def test_a_request_that_was_refused_as_too_long_is_no_success(client, works):
    works(refusal(400, code="context_length_exceeded"))

    one = component(client)["providers"][NAME]
    assert (one["last_error_code"], one["last_success_at"]) == ("model_input_too_long", None)


def test_the_demo_model_is_not_taken_for_an_answer_of_a_provider(client, works, settings):
    settings.AGENT_MODELS = settings.AGENT_MODELS | {"architect": "demo"}
    works(agent_type="architect")

    assert TaskAttempt.objects.filter(provider="demo", outcome="completed").exists()
    found = component(client)
    assert found["providers"]["demo"] == {"status": "healthy"}
    assert found["providers"][NAME]["last_success_at"] is None
