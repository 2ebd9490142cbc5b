"""A turn is one transaction: what a person or an agent does, the advance, and what comes next."""

import textwrap
from contextlib import closing
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from redis import Redis

from agents.context_assembly import assemble_assignment
from agents.models import Task
from agents.queue import claim_taken_along, inline_chain
from agents.services import claim_task, finish_task
from agents.worker.lease import check_claim
from audit.actors import Actor
from audit.models import Event
from core.failpoints import Failpoints
from hitl.models import Decision, HitlRequest
from orchestrator.engine import advance as engine
from orchestrator.engine.advance import open_run
from orchestrator.engine.definition import parse_definition
from orchestrator.engine.sweep import sweep
from orchestrator.tasks import advance
from projects.models import Project
from projects.services import create_project
from projects.transaction import ProjectTransaction
from tests.scenes import asked, decide_as, pending_task, running, work

pytestmark = pytest.mark.django_db(transaction=True)

WORKER = "test:1:1"


class Statements(CaptureQueriesContext):
    """What went to PostgreSQL, by Django's own list."""

    def __init__(self) -> None:
        super().__init__(connection)

    @property
    def texts(self) -> list[str]:
        return [query["sql"] or "" for query in self.captured_queries]

    @property
    def transactions(self) -> int:
        return self.texts.count("COMMIT")

    @property
    def count(self) -> int:
        """SAVEPOINT and RELEASE count, BEGIN and COMMIT do not."""
        return sum(text not in ("BEGIN", "COMMIT") for text in self.texts)


@pytest.fixture
def queue(settings):
    """How many messages wait for the agents' workers, and for the engine's."""
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    names = [f"{prefix}agents", f"{prefix}engine"]
    redis = Redis.from_url(settings.REDIS_URL)
    redis.delete(*names)
    yield lambda: tuple(redis.llen(name) for name in names)
    redis.delete(*names)


@pytest.fixture
def unattended(make_project):
    """A project whose plan and results need no approval."""
    return make_project(oversight_level="low")


@pytest.fixture
def failing_advance(monkeypatch, tmp_path):
    """From now on the engine fails, once for each call of this."""
    monkeypatch.setattr(engine, "failpoint", Failpoints("in_advance:1", tmp_path).hit)
    return lambda: (tmp_path / "in_advance").write_text("fail")


def test_creating_a_project_takes_nine_statements_before_the_engine_begins(owner):
    with Statements() as statements:
        create_project(actor=Actor.of_user(owner), name="Library", brief="Lend books.")

    before_advance = next(n for n, text in enumerate(statements.texts) if "SAVEPOINT" in text)
    assert statements.texts[0] == "BEGIN"
    assert before_advance - 1 <= 9
    assert statements.transactions == 1


def test_from_a_decision_to_the_next_claim_there_are_two_transactions_and_one_message(
    project, approver, client_of, queue
):
    request = asked(project)
    client = client_of(approver)
    url = f"/api/v1/hitl/requests/{request.pk}/decisions/"
    waiting = queue()

    with Statements() as statements:
        said = {"action": "approve", "subject_digest": request.subject_digest}
        answer = client.post(url, said, content_type="application/json")
        claim = claim_task(task_id=pending_task(project).pk, worker=WORKER)

    assert (answer.status_code, claim.task.step) == (201, pending_step(project))
    assert queue() == (waiting[0] + 1, waiting[1])
    assert statements.transactions == 2
    # One of them is this test's own look for the task.
    assert statements.count - 1 <= 22, "\n".join(statements.texts)


def test_a_decision_over_rest_takes_four_statements_beside_those_of_the_decision(
    project, approver, client_of
):
    request = asked(project)
    client = client_of(approver)
    url = f"/api/v1/hitl/requests/{request.pk}/decisions/"

    with Statements() as statements:
        said = {"action": "approve", "subject_digest": request.subject_digest}
        answer = client.post(url, said, content_type="application/json")

    assert answer.status_code == 201
    # Of who asks; then the caller's role, the versions that are shown, and the decisions on it.
    before, after = statements.texts.index("BEGIN"), statements.texts.index("COMMIT")
    assert (before, len(statements.texts) - after - 1) == (1, 3), "\n".join(statements.texts)
    assert statements.count <= 17, "\n".join(statements.texts)


TWO_STEPS = """
    name: two
    version: 1
    title: Two steps
    steps:
      - {id: a, title: A, phase: build, agent: coder, creates: [agent_output], gate: result,
         instructions: Write.}
      - {id: b, title: B, phase: build, agent: coder, creates: [agent_output], gate: result,
         needs: [a], instructions: Write more.}
"""


def test_a_step_with_an_approval_takes_thirty_statements_in_three_transactions(
    make_project, approver, queue
):
    project = make_project(oversight_level="medium")
    with ProjectTransaction(project.pk, Actor.of_user(project.created_by)) as tx:
        open_run(tx, parse_definition(textwrap.dedent(TWO_STEPS), "two.yaml"))
    task = pending_task(running(project))

    with Statements() as statements:
        claim = claim_task(task_id=task.pk, worker=WORKER)
        assemble_assignment(claim)
        check_claim(claim)
        assert finish_task(claim=claim, outcome=work())
    with Statements() as decision:
        decide_as(approver, HitlRequest.objects.get(task=task))

    assert pending_task(project).step == "b"
    assert statements.transactions + decision.transactions == 3
    texts = [*statements.texts, *decision.texts]
    # One of them is this test's own look for the request.
    assert statements.count + decision.count - 1 <= 30, "\n".join(texts)


def pending_step(project: Project) -> str:
    return Task.objects.get(project=project, status="working").step


def test_the_log_names_the_engine_for_what_the_engine_does(project, approver):
    request = asked(project)
    decide_as(approver, request)

    last = Event.objects.filter(project=project.pk).order_by("-sequence")
    created, decided = (
        last.get(task=pending_task(project).pk),
        last.filter(event_type="hitl_decision_recorded").first(),
    )
    assert (created.event_type, created.actor) == ("task_created", "system:engine")
    assert created.metadata["channel"] == "engine"
    assert decided.actor == f"user:{approver.pk}"


def test_a_finish_and_the_request_that_it_leads_to_are_one_transaction(project):
    task = pending_task(running(project))
    claim = claim_task(task_id=task.pk, worker=WORKER)

    with Statements() as statements:
        assert finish_task(claim=claim, outcome=work())

    assert statements.transactions == 1
    assert HitlRequest.objects.pending().get().task_id == task.pk


def test_a_finish_and_the_next_task_are_one_transaction(unattended, queue):
    task = pending_task(running(unattended))
    claim = claim_task(task_id=task.pk, worker=WORKER)
    waiting = queue()

    with Statements() as statements:
        assert finish_task(claim=claim, outcome=work())

    assert statements.transactions == 1
    assert Task.objects.filter(project=unattended, status="pending").count() == 1
    assert queue() == (waiting[0] + 1, waiting[1])


def test_a_job_claims_the_task_that_comes_of_its_finish_in_the_same_transaction(
    make_project, queue, settings
):
    settings.AGENT_MODELS = {"coder": "demo"}
    project = make_project(oversight_level="low")
    with ProjectTransaction(project.pk, Actor.of_user(project.created_by)) as tx:
        open_run(tx, parse_definition(textwrap.dedent(TWO_STEPS), "two.yaml"))
    first = pending_task(running(project))
    waiting = queue()

    with closing(inline_chain(first.pk)) as tasks:
        next(tasks)
        claim = claim_task(task_id=first.pk, worker=WORKER)
        with Statements() as statements:
            assert finish_task(claim=claim, outcome=work())
        second = next(tasks)
        taken = claim_taken_along()

    assert statements.transactions == 1
    assert (taken.task.pk, taken.task.step) == (second, "b")
    assert Task.objects.get(pk=second).status == "working"
    assert queue() == waiting
    started = Event.objects.filter(project=project.pk, event_type="task_started").latest("sequence")
    assert (started.task, started.actor) == (second, "agent:coder")


def test_outside_of_a_job_nobody_claims_what_comes_of_a_finish(make_project):
    project = make_project(oversight_level="low")
    claim = claim_task(task_id=pending_task(running(project)).pk, worker=WORKER)

    assert finish_task(claim=claim, outcome=work())

    assert Task.objects.filter(project=project, status="working").count() == 0


def test_a_decision_stands_where_advancing_fails_and_the_sweep_takes_over(
    project, approver, client_of, failing_advance, queue
):
    request = asked(project)
    failing_advance()

    said = {"action": "approve", "subject_digest": request.subject_digest}
    url = f"/api/v1/hitl/requests/{request.pk}/decisions/"
    answer = client_of(approver).post(url, said, content_type="application/json")

    assert answer.status_code == 201
    assert Decision.objects.get().request_id == request.pk
    assert Task.objects.get(pk=request.task_id).status == "completed"
    assert not Task.objects.filter(project=project, status="pending").exists()
    marked = Project.objects.get(pk=project.pk)
    assert (marked.attention_since is not None, marked.engine_failures) == (True, 1)

    Project.objects.filter(pk=project.pk).update(
        attention_since=marked.created_at - timedelta(minutes=1)
    )
    waiting = queue()
    assert sweep()["projects_enqueued"] == 1
    assert queue() == (waiting[0], waiting[1] + 1)
    advance(str(project.pk))
    assert Task.objects.filter(project=project, status="pending").count() == 1
    assert Project.objects.get(pk=project.pk).attention_since is None


def test_what_a_failed_advance_did_is_undone_with_its_events_and_messages(
    unattended, monkeypatch, queue
):
    task = pending_task(running(unattended))
    claim = claim_task(task_id=task.pk, worker=WORKER)
    create = engine.create_task

    def create_and_fail(*arguments, **fields):
        create(*arguments, **fields)
        raise ZeroDivisionError

    monkeypatch.setattr(engine, "create_task", create_and_fail)
    waiting, created = queue(), events("task_created")
    assert finish_task(claim=claim, outcome=work())

    assert Task.objects.get(pk=task.pk).status == "completed"
    assert Task.objects.filter(project=unattended).count() == 1
    assert events("task_created") == created
    assert events("task_completed") == 1
    assert queue() == waiting


def events(event_type: str) -> int:
    return Event.objects.filter(event_type=event_type).count()
