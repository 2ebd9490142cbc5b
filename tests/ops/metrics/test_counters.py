"""What happens is counted, once it is committed, under words and not under ids."""

import re

import pytest
from django.db import transaction
from prometheus_client import REGISTRY

from agents.services import claim_task, hand_back
from agents.worker.run import run
from audit.actors import Actor
from audit.events import SYSTEM_WARNING
from audit.services import record
from hitl.services import decide
from orchestrator.engine.advance import advance_project
from orchestrator.engine.sweep import sweep
from projects.services import cancel_project, start_project

pytestmark = pytest.mark.django_db(transaction=True)

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}")


class Counted:
    """How much a metric has grown since."""

    def __init__(self, name, **labels):
        self.name, self.labels = name, labels
        self.before = self.now()

    def now(self):
        return REGISTRY.get_sample_value(self.name, self.labels) or 0.0

    @property
    def growth(self):
        return self.now() - self.before


def append(project, *, fails=False):
    with transaction.atomic():
        record(
            project_id=project.pk,
            event_type=SYSTEM_WARNING,
            actor=Actor.of_system("test"),
        )
        if fails:
            transaction.set_rollback(True)


def test_an_event_counts_when_it_is_committed(project):
    appended = Counted("paraph_events_total", event_type="system_warning")

    append(project, fails=True)
    append(project)

    assert appended.growth == 1


def test_attempts_waits_and_calls_are_counted_by_agent(make_project, owner):
    attempts = Counted(
        "paraph_attempt_seconds_count", agent_type="orchestrator", outcome="completed"
    )
    waits = Counted("paraph_queue_wait_seconds_count", agent_type="orchestrator")
    calls = Counted("paraph_model_calls_total", provider="demo", model="quotes-1")
    project = make_project()
    start_project(project_id=project.pk, actor=Actor.of_user(owner))
    advance_project(project.pk)

    run(task_id=project.tasks.get().pk, worker="test")

    assert (attempts.growth, waits.growth, calls.growth) == (1, 1, 1)


def test_a_decision_counts_by_action_channel_and_kind_and_the_next_step_by_its_delay(asked, owner):
    decisions = Counted("paraph_decisions_total", action="approve", channel="test")
    waits = Counted("paraph_decision_seconds_count", kind=asked.kind)
    resumed = Counted("paraph_resume_seconds_count")

    decide(
        request_id=asked.pk,
        actor=Actor.of_user(owner),
        action="approve",
        subject_digest=asked.subject_digest,
        channel="test",
    )
    advance_project(asked.project_id)

    assert (decisions.growth, waits.growth) == (1, 1)
    assert resumed.growth >= 1


def test_a_request_that_ends_undecided_counts_by_how(asked, owner):
    closed = Counted("paraph_requests_closed_total", kind=asked.kind, status="cancelled")

    cancel_project(project_id=asked.project_id, actor=Actor.of_user(owner))

    assert closed.growth == 1


def test_a_task_that_is_handed_back_is_a_retry(make_project, owner):
    project = make_project()
    start_project(project_id=project.pk, actor=Actor.of_user(owner))
    advance_project(project.pk)
    held = claim_task(task_id=project.tasks.get().pk, worker="test:1:1")
    handed_back = Counted("paraph_retries_total", agent_type="orchestrator", cause="worker_stopped")

    hand_back(worker_prefix=held.task.worker)

    assert handed_back.growth == 1


def test_a_sweep_counts_what_it_repaired(make_project, owner):
    project = make_project()
    start_project(project_id=project.pk, actor=Actor.of_user(owner))
    type(project).objects.update(attention_since="2020-01-01T00:00:00Z")
    rounds = Counted("paraph_sweep_seconds_count")
    repaired = Counted("paraph_sweep_repairs_total", kind="projects_enqueued")

    sweep()

    assert (rounds.growth, repaired.growth) == (1, 1)


def test_requests_count_by_their_route(client, client_of, owner, project):
    route = r"api/v1/projects/<uuid:pk>/"
    found = [
        Counted("paraph_http_requests_total", method="GET", route=route, status="200"),
        Counted("paraph_http_requests_total", method="GET", route="none", status="404"),
        Counted("paraph_http_requests_total", method="other", route="none", status="404"),
    ]

    client_of(owner).get(f"/api/v1/projects/{project.pk}/")
    client.get(f"/nothing/at/{project.pk}")
    client.generic("BREW", "/nothing")

    assert [one.growth for one in found] == [1, 1, 1]


def test_no_label_holds_an_id(asked):
    labels = {value for m in REGISTRY.collect() for s in m.samples for value in s.labels.values()}

    assert labels
    assert not [value for value in labels if UUID.search(value)]
