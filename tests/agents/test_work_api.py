"""Agents that run elsewhere take tasks over HTTP: claim, heartbeat, and how it ended, once."""

import pytest
from django.db.models.functions import Now
from django.utils.dateparse import parse_datetime
from rest_framework.test import APIClient

from agents.models import AgentStatus, EmergencyStop, Task, TaskAttempt
from agents.services import claim_task, take_back_lost_tasks
from audit.models import Event
from context.models import Artifact
from hitl.models import HitlRequest
from tests.scenes import CONTENT, HOUR, let_lease_run_out, release, side_task, stop

EXTERNAL = {"orchestrator": "external"}
OUTPUT = {"artifact_type": "agent_output", "title": "The plan", "content": CONTENT}


@pytest.fixture
def place(make_project):
    """A project whose first agent works elsewhere."""
    return make_project(agent_models=EXTERNAL, auto_start=True, oversight_level="medium")


@pytest.fixture
def worker(place, owner, client_of):
    return worker_of(place, client_of(owner))


@pytest.fixture
def task(place):
    """One on its own, which brings a free text."""
    return task_of(place)


def task_of(project):
    Task.objects.filter(project=project).update(run_after=Now() + HOUR)
    return side_task(project, agent_type="orchestrator")


def worker_of(project, api, scopes=("work",), name="robot"):
    body = {"name": name, "scopes": list(scopes)}
    answer = api.post(f"/api/v1/projects/{project.pk}/credentials/", body)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['token']}")
    client.credential = answer.json()["id"]
    return client


def come(worker, **changes):
    body = {"agent_types": ["orchestrator"], "worker": "w1"} | changes
    return worker.post("/api/v1/work/claim/", body)


def claimed(worker, **changes):
    answer = come(worker, **changes)
    assert answer.status_code == 200, answer.content
    return answer.json()


def say(worker, claim, verb, **body):
    return worker.post(f"/api/v1/work/{claim['task']}/{verb}/", {"fence": claim["fence"]} | body)


def complete(worker, claim, **changes):
    return say(worker, claim, "complete", **{"outputs": [OUTPUT]} | changes)


def test_a_task_is_claimed_kept_and_completed_once(worker, place, task):
    claim = claimed(worker)

    beat = say(worker, claim, "heartbeat", progress="half of it")
    done = complete(worker, claim, usage={"model": "mine", "calls": 2, "input_tokens": 10})
    again = complete(worker, claim, usage={"model": "mine", "calls": 2, "input_tokens": 10})
    other = complete(worker, claim, notes="Otherwise.")

    assert claim["task"] == str(task.pk)
    assert claim["assignment"]["expected"] == ["agent_output"]
    assert claim["assignment"]["schemas"]["agent_output"]["type"] == "object"
    assert beat.json()["stop"] is False
    assert beat.json()["lease_expires_at"] > claim["lease_expires_at"]
    assert (done.status_code, done.json()["outcome"]) == (200, "completed")
    assert (again.status_code, again.json()) == (200, done.json())
    assert (other.status_code, other.json()["code"]) == (409, "already_reported")
    assert Artifact.objects.get(task=task.pk).version == 1
    attempt = TaskAttempt.objects.get(task=task)
    assert (attempt.provider, attempt.model, attempt.input_tokens) == ("external", "mine", 10)
    assert HitlRequest.objects.get(task=task).kind == "result_approval"
    assert come(worker).status_code == 204


def test_each_worker_gets_only_what_is_for_it(worker, place, task):
    assert claim_task(task_id=task.pk, worker="ours:1:1") is None
    place.agent_models = {}
    place.save()

    assert come(worker).status_code == 204
    assert claim_task(task_id=task.pk, worker="ours:1:1") is not None


def test_the_settings_leave_work_to_workers_elsewhere(make_project, owner, client_of, settings):
    settings.AGENT_MODELS = settings.AGENT_MODELS | EXTERNAL
    place = make_project(auto_start=True)
    task = task_of(place)
    assert claim_task(task_id=task.pk, worker="ours:1:1") is None
    assert claimed(worker_of(place, client_of(owner)))["task"] == str(task.pk)


def test_it_says_since_when_nobody_has_come_for_work(worker, place, task, owner, client_of, client):
    def since():
        waits = client_of(owner).get(f"/api/v1/projects/{place.pk}/progress/").json()["waiting_for"]
        return next(wait["no_worker_since"] for wait in waits if wait["task"] == str(task.pk))

    def page():
        return client.get(f"/admin/projects/project/{place.pk}/change/").content.decode()

    owner.is_staff = True
    owner.save()
    client.force_login(owner)
    Task.objects.filter(pk=task.pk).update(run_after=Now() - HOUR)
    task.refresh_from_db()
    assert parse_datetime(since()) == task.run_after, "nobody has ever come"
    assert "Nobody has come for work since" in page()

    # Somebody comes while nothing is to be done, and waits for more.
    Task.objects.filter(pk=task.pk).update(run_after=Now() + HOUR)
    assert come(worker).status_code == 204
    Task.objects.filter(pk=task.pk).update(run_after=Now() - HOUR)
    assert since() is None
    assert "Nobody has come" not in page()

    board = AgentStatus.objects.filter(project=place, agent_type="orchestrator")
    board.update(worker_seen_at=Now() - HOUR / 2)
    assert parse_datetime(since()) == board.get().worker_seen_at


def test_who_was_paused_past_the_lease_completes_too_late(worker, task):
    claim = claimed(worker)
    let_lease_run_out(task)

    late = complete(worker, claim)

    assert (late.status_code, late.json()["code"]) == (409, "lease_lost")
    assert not Artifact.objects.filter(task=task.pk).exists()
    assert say(worker, claim, "heartbeat").status_code == 409
    second = claimed(worker)
    assert second["fence"] > claim["fence"]
    assert complete(worker, claim).status_code == 409
    assert complete(worker, second).status_code == 200


def test_a_worker_that_was_lost_three_times_has_people_asked(worker, task):
    for _ in range(3):
        claimed(worker)
        let_lease_run_out(task)
        take_back_lost_tasks()
    task.refresh_from_db()
    assert (task.status, task.result["error"]["code"]) == ("waiting_for_hitl", "poison_task")


def test_what_does_not_fit_keeps_the_lease(worker, task):
    claim = claimed(worker)

    none = complete(worker, claim, outputs=[])
    wrong = complete(worker, claim, outputs=[OUTPUT | {"content": {"body": 7}}])

    assert (none.status_code, none.json()["code"]) == (422, "unexpected_outputs")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_content")
    assert wrong.json()["errors"][0]["field"].startswith("outputs.0.content.")
    assert complete(worker, claim).status_code == 200


def test_questions_go_to_a_person_and_come_back_answered(worker, approver, client_of, task):
    claim = claimed(worker)
    body = {"questions": ["Who lends?"], "reason": "The brief is silent."}
    assert say(worker, claim, "ask", **body).json()["outcome"] == "needs_person"
    assert say(worker, claim, "ask", **body).status_code == 200

    request = HitlRequest.objects.get(task=task)
    path = f"/api/v1/hitl/requests/{request.pk}/decisions/"
    decision = {"action": "answer", "subject_digest": request.subject_digest, "content": "Members."}
    assert client_of(approver).post(path, decision).status_code == 201

    answers = claimed(worker)["assignment"]["answers"]
    assert [answer["answer"] for answer in answers] == ["Members."]


def test_a_transient_failure_is_tried_again_and_another_asks_a_person(worker, task):
    error = {"code": "no_disk", "detail": "The disk is full.", "transient": True}
    claim = claimed(worker)
    assert say(worker, claim, "fail", **error).json()["outcome"] == "transient_error"
    assert say(worker, claim, "fail", **error).status_code == 200
    assert come(worker).status_code == 204
    Task.objects.filter(pk=task.pk).update(run_after=Now())

    second = claimed(worker)
    failed = say(worker, second, "fail", **error | {"transient": False})

    assert failed.json()["outcome"] == "permanent_error"
    assert HitlRequest.objects.get(task=task).kind == "escalation"


def test_released_work_is_there_for_others_and_does_not_count(worker, task):
    claim = claimed(worker)
    assert say(worker, claim, "release").json()["outcome"] == "handed_back"
    assert say(worker, claim, "release").status_code == 200
    second = claimed(worker)
    task.refresh_from_db()
    assert (second["fence"] > claim["fence"], task.attempt) == (True, 1)


def test_an_emergency_stop_reaches_the_heartbeat_and_is_acknowledged(worker, staff, task):
    claim = claimed(worker)
    stop(staff)
    emergency = EmergencyStop.objects.get()
    (missing,) = emergency.missing_workers

    beat = say(worker, claim, "heartbeat")
    again = say(worker, claim, "heartbeat")

    assert missing.endswith(":robot:w1")
    assert (beat.json()["stop"], again.json()["stop"]) == (True, True)
    emergency = EmergencyStop.objects.get()
    assert (emergency.missing_workers, emergency.workers_acknowledged) == ([], 1)
    assert complete(worker, claim).json()["code"] == "lease_lost"
    assert come(worker).status_code == 204
    release(staff)
    assert complete(worker, claimed(worker)).status_code == 200
    retried = Event.objects.get(task=task.pk, event_type="task_retried")
    assert retried.data["cause"] == "emergency_stop"


def test_a_cancelled_task_is_lost(worker, owner, client_of, task):
    claim = claimed(worker)
    client_of(owner).post(f"/api/v1/tasks/{task.pk}/cancel/")
    assert say(worker, claim, "heartbeat").json()["code"] == "lease_lost"
    assert complete(worker, claim).json()["code"] == "lease_lost"


def test_who_may_work(worker, owner, client_of, make_project, place, task):
    claim = claimed(worker)
    other = make_project(agent_models=EXTERNAL, auto_start=True)
    stranger = worker_of(other, client_of(owner))
    colleague = worker_of(place, client_of(owner), name="colleague")
    asker = worker_of(place, client_of(owner), scopes=("ask",), name="asker")

    assert complete(stranger, claim).status_code == 404
    assert complete(colleague, claim).json()["code"] == "lease_lost"
    assert come(asker).json()["code"] == "scope_missing"
    assert come(client_of(owner)).json()["code"] == "credential_required"
    path = f"/api/v1/projects/{place.pk}/credentials/{worker.credential}/"
    client_of(owner).delete(path)
    assert complete(worker, claim).status_code == 401


def test_agents_of_a_project_are_named_and_known(owner, client_of, place):
    api, path = client_of(owner), f"/api/v1/projects/{place.pk}/"
    wrong = api.patch(path, {"agent_models": {"nobody": "external"}})
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "agent_models.nobody")
    assert api.patch(path, {"agent_models": {"coder": "gpt"}}).status_code == 400
    right = api.patch(path, {"agent_models": {"coder": "external"}})
    assert right.json()["agent_models"] == {"coder": "external"}
