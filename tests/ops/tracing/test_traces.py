"""One trace from a request through the jobs of real workers to the calls of models."""

import secrets

import httpx
import pytest

from agents.models import TaskAttempt
from hitl.models import HitlRequest
from tests.end_to_end.conftest import start_worker
from tests.fixtures import BRIEF
from tests.live import WebServer, eventually, token_of
from tests.ops.tracing.receiver import receiving

__all__ = ["start_worker"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def ask(receiver, owner):
    """Sends a request below a span of the client's own; the answer, and the client's trace."""
    server = WebServer(**receiver.environment)
    login = {"Authorization": f"Token {token_of(owner)}"}

    def post(path, body, traceparent=None):
        trace = secrets.token_hex(16)
        sent = traceparent or f"00-{trace}-{secrets.token_hex(8)}-01"
        url = f"{server.url}/api/v1/{path}"
        answer = httpx.post(url, json=body, headers=login | {"traceparent": sent}, timeout=60)
        assert answer.status_code == 201, answer.text
        return answer, trace

    yield post
    server.stop()


def test_one_trace_joins_request_job_and_model_call_and_the_next_one_begins_with_the_decision(
    receiver, ask, start_worker
):
    start_worker(processes=2, **receiver.environment, PHOENIX_BASE_URL=receiver.url)
    answer, created = ask("projects/", {"name": "Library", "brief": BRIEF})
    project = answer.json()["id"]

    call = eventually(lambda: receiver.of_trace(created, "invoke_agent orchestrator"))[0]
    eventually(lambda: receiver.of_trace(created, "POST api/v1/projects/"))
    way = eventually(lambda: way_from_request(receiver, call, "POST api/v1/projects/"))
    assert way == [
        "invoke_agent orchestrator",
        "paraph.attempt",
        "job agents.tasks.run_task",
        "POST api/v1/projects/",
    ]
    assert call.facts["gen_ai.provider.name"] == "demo"
    assert (call.service, call.has_failed) == ("paraph", False)
    of_request = receiver.of_trace(created, "POST api/v1/projects/")[0]
    assert of_request.facts["http.response.status_code"] == 201
    assert of_request.facts["paraph.request_id"] == answer.headers["X-Request-ID"]
    job = receiver.of_trace(created, "job agents.tasks.run_task")[0]
    assert job.facts["paraph.request_id"] == answer.headers["X-Request-ID"]

    request = eventually(lambda: HitlRequest.objects.filter(project=project).first())
    path = f"hitl/requests/{request.pk}/decisions/"
    _, decided = ask(path, {"action": "approve", "subject_digest": request.subject_digest})

    resumed = eventually(lambda: receiver.of_trace(decided, "paraph.start_step"))[0]
    assert resumed.facts["paraph.resume_seconds"] >= 0
    next_call = eventually(lambda: receiver.of_trace(decided, "invoke_agent analyst"))[0]
    root = "POST api/v1/hitl/requests/<uuid:pk>/decisions/"
    assert eventually(lambda: way_from_request(receiver, next_call, root))
    assert decided != created
    annotation = eventually(lambda: receiver.annotations)[0]
    (attempt,) = receiver.of_trace(created, "paraph.attempt")
    assert (annotation["span_id"], annotation["result"]["label"]) == (attempt.id, "approve")
    assert not receiver.of_trace(created, "job orchestrator.tasks.sweep")
    assert BRIEF[-30:].encode() not in receiver.raw
    assert token_of(request.project.created_by).encode() not in receiver.raw
    assert project.encode() in receiver.raw


def way_from_request(receiver, span, root):
    """Spans come in batches of several processes; None until all of the way is there."""
    way = receiver.way_up(span)
    return way if way[-1] == root else None


def test_what_is_no_trace_of_a_client_begins_one_of_our_own(receiver, ask):
    for sent in ("nonsense", "00-0-0-01", f"00-{'0' * 32}-{'0' * 16}-01"):
        ask("projects/", {"name": "Library", "brief": BRIEF, "auto_start": False}, sent)

    spans = eventually(lambda: three_of(receiver, "POST api/v1/projects/"))
    assert {span.parent for span in spans} == {""}
    assert len({int(span.trace, 16) for span in spans} - {0}) == 3


def three_of(receiver, name):
    found = [span for span in receiver.spans if span.name == name]
    return found if len(found) >= 3 else None


def test_a_call_that_fails_says_its_code_and_not_its_words(receiver, ask, start_worker):
    broken = {"MODEL_ORCHESTRATOR": "nowhere:model"}
    start_worker(processes=1, **receiver.environment, **broken)
    _, trace = ask("projects/", {"name": "Library", "brief": BRIEF})

    attempt = eventually(lambda: receiver.of_trace(trace, "paraph.attempt"))[0]

    assert attempt.has_failed
    assert attempt.facts["paraph.outcome"] == "permanent_error"
    (call,) = receiver.of_trace(trace, "invoke_agent orchestrator")
    assert (call.has_failed, call.facts["error.type"]) == (True, "model_misconfigured")
    detail = TaskAttempt.objects.get().error_detail
    assert detail
    assert detail.encode() not in receiver.raw
