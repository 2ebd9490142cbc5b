"""What models were told and answered: for members, without keys, and for as long as was said."""

import json
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.test import APIClient

from agents.models import ModelExchange
from agents.providers.endpoints import Endpoint
from agents.services import exchanges, forget_exchanges
from agents.services.exchanges import HIDDEN, redacted
from agents.worker.run import run
from audit.actors import Actor
from projects.credentials import create_credential
from tests.openai_server import OpenAIServer, refusal
from tests.scenes import WORKER, first_task, make_due

works = pytest.mark.django_db(transaction=True)

OPENAI_KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz"
PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAK\n-----END RSA PRIVATE KEY-----"
OWN_SECRET = 'the "database\'s" pass\\word, für uns'


@pytest.fixture
def server(settings):
    with OpenAIServer() as running:
        settings.AGENT_MODELS = dict.fromkeys(settings.AGENT_MODELS, "openai-chat:test-model")
        settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "sk-test", running.base_url
        yield running


@pytest.fixture
def own_secret(settings):
    exchanges._secrets.cache_clear()
    settings.SECRET_VALUES = [*settings.SECRET_VALUES, OWN_SECRET]
    yield OWN_SECRET
    exchanges._secrets.cache_clear()


@pytest.fixture
def task(project):
    return first_task(project)


def work_on(task):
    run(task_id=task.pk, worker=WORKER)


def worked_twice(server, task):
    """One attempt that fails, and one that is done."""
    server.then(refusal(503))
    work_on(task)
    make_due(task)
    work_on(task)


def url_of(task):
    return f"/api/v1/tasks/{task.pk}/transcript/"


@works
def test_each_attempt_has_what_was_said_in_it_as_a_file(server, task, viewer, client_of):
    worked_twice(server, task)

    answer = client_of(viewer).get(url_of(task))

    assert "attachment" in answer.headers["Content-Disposition"]
    failed, done = answer.json()["attempts"]
    assert (failed["outcome"], done["outcome"]) == ("transient_error", "completed")
    (exchange,) = failed["exchanges"]
    assert (exchange["error"]["code"], exchange["response"]) == ("model_unavailable", None)
    (exchange,) = done["exchanges"]
    assert (exchange["provider"], exchange["model"]) == ("openai-chat", "test-model")
    assert "A lending library" in json.dumps(exchange["request"])
    assert exchange["response"][0]["parts"][0]["part_kind"] == "tool-call"


@works
def test_members_alone_read_it(server, task, project, owner, outsider, client_of):
    work_on(task)
    _, token = create_credential(
        project_id=project.pk,
        actor=Actor.of_user(owner),
        name="bot",
        scopes=["read", "work"],
        expires_at=timezone.now() + timedelta(days=1),
    )
    agent = APIClient()
    agent.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")

    assert client_of(owner).get(url_of(task)).status_code == 200
    assert client_of(outsider).get(url_of(task)).status_code == 404
    assert agent.get(url_of(task)).status_code == 403
    assert APIClient().get(url_of(task)).status_code == 401


@works
def test_the_key_and_headers_of_an_endpoint_are_hidden_too(server, task, settings):
    key, header = "not-like-a-key", "the-team's-password"
    endpoint = Endpoint("local", "openai-chat", server.base_url, key, {"X-Team": header})
    settings.MODEL_ENDPOINTS = {"local": endpoint}
    settings.AGENT_MODELS = settings.AGENT_MODELS | {str(task.agent_type): "local:test-model"}
    server.then(lambda server, request: server.words(request, f"You sent {key} and {header}."))

    work_on(task)

    kept = ModelExchange.objects.earliest("id").response
    assert f"You sent {HIDDEN} and {HIDDEN}." in kept


@pytest.mark.parametrize(
    "secret",
    [
        OPENAI_KEY,
        *("AKIAABCDEFGHIJKLMNOP", "AIza" + "x" * 35, "ghp_" + "x" * 36, "xoxb-1234567890-abc"),
        PRIVATE_KEY,
    ],
)
def test_what_looks_like_a_key_is_hidden(secret):
    shown = json.loads(redacted(json.dumps({"said": f"Take {secret} for it."})))

    assert shown == {"said": f"Take {HIDDEN} for it."}


def test_a_token_in_a_header_is_hidden_and_words_are_not():
    assert redacted("Bearer abcdefghijklmnopqrst") == f"Bearer {HIDDEN}"
    assert redacted("the bearer of news; a risk-based task") == (
        "the bearer of news; a risk-based task"
    )


@works
def test_keys_are_hidden_before_anything_is_stored(
    server, make_project, own_secret, owner, client_of
):
    brief = f"Use {OPENAI_KEY}, {own_secret} and {PRIVATE_KEY}."
    task = first_task(make_project(brief=brief))
    server.then(refusal(400, message=f"no: {OPENAI_KEY}"))

    work_on(task)

    row = ModelExchange.objects.get()
    stored = " ".join([row.request, row.response, row.error_detail])
    shown = client_of(owner).get(url_of(task)).json()
    for text in (stored, json.dumps(shown, ensure_ascii=False)):
        assert HIDDEN in text
        assert OPENAI_KEY not in text
        assert "MIIEow" not in text
        assert "für uns" not in text
    assert OPENAI_KEY in json.dumps(server.requests[0])


@works
def test_with_never_nothing_is_kept(server, task, settings):
    settings.MODEL_TRANSCRIPTS = "never"

    worked_twice(server, task)

    assert not ModelExchange.objects.exists()


@works
def test_on_failure_keeps_those_of_attempts_that_failed(server, task, settings):
    settings.MODEL_TRANSCRIPTS = "on_failure"
    worked_twice(server, task)

    assert forget_exchanges() == 1

    assert ModelExchange.objects.get().error_code == "model_unavailable"


@works
def test_what_is_kept_is_removed_once_it_is_old(server, task, settings):
    settings.MODEL_TRANSCRIPT_DAYS = 7
    worked_twice(server, task)
    newer, older = ModelExchange.objects.order_by("-id")
    ModelExchange.objects.filter(pk=older.pk).update(created_at=Now() - timedelta(days=8))
    ModelExchange.objects.filter(pk=newer.pk).update(created_at=Now() - timedelta(days=6))

    assert forget_exchanges() == 1

    assert ModelExchange.objects.get() == newer


@works
def test_what_is_very_long_is_cut(server, task, owner, client_of, monkeypatch):
    monkeypatch.setattr(exchanges, "MOST_CHARACTERS", 500)

    work_on(task)

    exchange = client_of(owner).get(url_of(task)).json()["attempts"][0]["exchanges"][0]
    assert exchange["request"]["cut_after_characters"] == 500
    assert len(exchange["request"]["text"]) == 500
