"""What people decide becomes a score of the trace that it was about, once, and says no contents."""

import base64
import json
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Now

from agents.models import TaskAttempt
from agents.worker.run import run
from core.tracing import trace_with
from hitl.models import Decision
from notifications.models import Notification
from notifications.scores import Score
from tests.scenes import WORKER, asked, decide_as, first_task
from tests.security.test_environment import settings_in

pytestmark = pytest.mark.django_db

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def langfuse(settings, receiver):
    settings.LANGFUSE_BASE_URL = receiver.url.removesuffix("/hook")
    settings.LANGFUSE_PUBLIC_KEY, settings.LANGFUSE_SECRET_KEY = "pk-lf-1", "sk-lf-1"
    return receiver


@pytest.fixture
def phoenix(settings, receiver):
    settings.PHOENIX_BASE_URL = f"{receiver.url.removesuffix('/hook')}/"
    settings.PHOENIX_API_KEY = "phoenix-key"
    return receiver


@pytest.fixture
def request_with_trace(project):
    request = asked(project)
    TaskAttempt.objects.filter(task=request.task).update(traceparent=TRACEPARENT)
    return request


def bodies(receiver):
    return [json.loads(body) for _, body in receiver.messages]


def send_again():
    Notification.objects.update(status="pending", run_at=Now(), finished_at=None)


def test_langfuse_gets_the_action_and_whether_it_was_approved(
    langfuse, tell, request_with_trace, approver
):
    decision = decide_as(approver, request_with_trace, comment="Between us.")
    tell()
    tell()

    said, approved = bodies(langfuse)
    assert langfuse.paths == ["/api/public/scores"] * 2
    login = base64.b64encode(b"pk-lf-1:sk-lf-1").decode()
    assert langfuse.messages[0][0]["authorization"] == f"Basic {login}"
    assert (said["traceId"], said["observationId"]) == (TRACE, SPAN)
    assert (said["name"], said["dataType"], said["value"]) == ("decision", "CATEGORICAL", "approve")
    assert (approved["name"], approved["dataType"], approved["value"]) == ("approved", "BOOLEAN", 1)
    assert (said["id"], approved["id"]) == (str(decision.pk), f"{decision.pk}-approved")
    assert said["metadata"]["kind"] == "plan_approval"
    assert "Between us." not in str(langfuse.messages)
    assert approver.username not in str(langfuse.messages)


def test_that_a_call_may_be_made_says_nothing_of_the_work():
    of_call = Score("1", TRACE, SPAN, "approve", {"kind": "action_approval"})
    of_result = Score("1", TRACE, SPAN, "approve", {"kind": "result_approval"})

    assert (of_call.approved, of_result.approved) == (None, 1)


def test_phoenix_gets_an_annotation_of_the_span(phoenix, tell, request_with_trace, approver):
    decision = decide_as(approver, request_with_trace, "request_changes")
    tell()

    (annotation,) = bodies(phoenix)[0]["data"]
    assert phoenix.paths == ["/v1/span_annotations?sync=true"]
    assert phoenix.messages[0][0]["authorization"] == "Bearer phoenix-key"
    assert (annotation["span_id"], annotation["identifier"]) == (SPAN, str(decision.pk))
    assert annotation["result"] == {"label": "request_changes", "score": 0}
    assert annotation["annotator_kind"] == "HUMAN"


def test_an_answer_to_a_question_is_no_verdict(langfuse, phoenix, tell, project, approver):
    request = asked(project, "clarification")
    TaskAttempt.objects.filter(task=request.task).update(traceparent=TRACEPARENT)

    decide_as(approver, request, "answer")
    tell()

    assert [body.get("name") for body in bodies(langfuse)] == ["decision", None]
    assert bodies(phoenix)[1]["data"][0]["result"] == {"label": "answer"}


@pytest.mark.parametrize(
    ("status", "becomes"), [(404, "pending"), (503, "pending"), (401, "pending"), (422, "dead")]
)
def test_what_is_not_taken_is_tried_again(
    phoenix, tell, request_with_trace, approver, status, becomes
):
    phoenix.status = status
    decide_as(approver, request_with_trace)
    tell()

    row = Notification.objects.get(channel="phoenix")
    assert (row.status, row.error) == (becomes, f"It answered {status}.")
    phoenix.status = 200
    send_again()
    tell()

    ids = [body["data"][0]["identifier"] for body in bodies(phoenix)]
    assert ids == [str(Decision.objects.get().pk)] * 2
    assert Notification.objects.get(channel="phoenix").status == "sent"


def test_a_decision_without_a_trace_is_left_out(phoenix, tell, project, approver):
    decide_as(approver, asked(project))
    tell()

    assert phoenix.messages == []
    assert Notification.objects.get(channel="phoenix").status == "dropped"


def test_where_nobody_takes_them_nothing_is_written(tell, request_with_trace, approver):
    decide_as(approver, request_with_trace)
    tell()

    assert not Notification.objects.filter(kind="score").exists()


@pytest.mark.parametrize(("takes_scores", "kept"), [(True, TRACEPARENT), (False, "")])
@pytest.mark.django_db(transaction=True)
def test_an_attempt_keeps_its_span_where_scores_are_taken(project, settings, takes_scores, kept):
    settings.TAKES_SCORES = takes_scores

    @contextmanager
    def span(*arguments, **named):
        yield SimpleNamespace(add=lambda facts: None, fail=lambda code: None)

    task = first_task(project)
    trace_with(SimpleNamespace(span=span, named_span=span, traceparent=lambda: TRACEPARENT))
    try:
        run(task_id=task.pk, worker=WORKER)
    finally:
        trace_with(None)

    assert TaskAttempt.objects.get(task=task).traceparent == kept


@pytest.mark.parametrize(
    ("environment", "missing"),
    [
        ({"PHOENIX_BASE_URL": "http://phoenix:6006"}, "TRACES=true"),
        ({"LANGFUSE_BASE_URL": "https://langfuse.example.org"}, "LANGFUSE_SECRET_KEY"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(environment, missing):
    with pytest.raises(ImproperlyConfigured, match=missing):
        settings_in(**environment)
