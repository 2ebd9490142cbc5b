"""Bring a project to a state, through the services: the test plays agents, engine and people.

`tests/live.py` has the same for real servers and workers.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection
from django.db.models.functions import Now

from agents.models import AgentStatus, EmergencyStop, Task
from agents.protocols import Completed, NeedsPerson, Outcome, Output, PermanentError, Usage
from agents.services import (
    Claim,
    activate_emergency_stop,
    claim_task,
    fail_attempt,
    finish_task,
    record_stop_notices,
    release_emergency_stop,
    request_task,
)
from agents.worker.run import run
from audit.actors import Actor
from audit.models import Event
from context.models import Artifact
from context.services import add_version
from hitl.agent_actions.asks import ask_action
from hitl.models import AgentAction, Decision, HitlRequest
from hitl.services import apply_deadlines, change_policy, decide
from orchestrator.engine.advance import advance_project
from orchestrator.engine.definition import definition_hash, parse_definition
from orchestrator.models import WorkflowRun
from projects.credentials import create_credential
from projects.models import AgentCredential, Project
from projects.services import add_member, create_project, start_project
from tests.fixtures import make_user
from tests.live import eventually

WORKER = "test:1:1"
HOUR = timedelta(hours=1)
USAGE = Usage("demo", "rules")
CONTENT = {"summary": "A plan of the run.", "body": "# The plan\n\n1. Ask\n2. Build"}
OWN = {"summary": "My own plan.", "body": "By hand."}
DECISION_CONTENT = {"amend": OWN, "answer": "Members do, for two weeks."}
KINDS = ("plan_approval", "result_approval", "clarification", "escalation", "escalation_of_work")
ALLOWED = {
    "plan_approval": {"approve", "amend", "request_changes", "reject"},
    "result_approval": {"approve", "amend", "request_changes", "reject"},
    "clarification": {"answer", "reject"},
    "escalation": {"try_again", "amend", "request_changes", "reject"},
    "escalation_of_work": {"approve", "amend", "request_changes", "reject"},
}
OVER = {"completed", "failed", "cancelled"}

# Two branches that join, and a check that sends one of them back.
BRANCHES = """
name: branches
version: 1
title: Two branches
steps:
  - {id: left, title: Left, phase: design, agent: architect, creates: [agent_output], gate: plan,
     requires: [user_input], instructions: Go left.}
  - {id: right, title: Right, phase: design, agent: analyst, creates: [agent_output], gate: result,
     instructions: Go right.}
  - {id: join, title: Join, phase: build, agent: coder, needs: [left, right],
     requires: [agent_output], revises: [agent_output], creates: [agent_output],
     instructions: Join both.}
  - {id: check, title: Check, phase: validate, agent: tester, needs: [join],
     requires: [agent_output], creates: [agent_output], gate: result, instructions: Check it.,
     on_fail: {rewind_to: join, max_rounds: 3}}
"""


# What an agent returns.


def work(
    title: str = "Run plan", notes: str = "Two steps are enough here.", **changes: Any
) -> Completed:
    return Completed((Output("agent_output", title, CONTENT | changes),), USAGE, notes=notes)


def failed_work() -> Completed:
    return Completed((Output("agent_output", "Verdict", CONTENT),), USAGE, verdict="fail")


def plan(body: str = "First ask, then build.", title: str = "Run plan") -> Completed:
    return work(title, body=body)


def text(body: str, artifact_type: str = "agent_output", verdict: str = "") -> Completed:
    content = CONTENT | {"body": body}
    return Completed((Output(artifact_type, "Text", content),), USAGE, verdict=verdict)


def questions() -> NeedsPerson:
    return NeedsPerson(("Who lends?", "For how long?"), USAGE, "The brief is silent.")


def question(text: str = "Who lends?") -> NeedsPerson:
    return NeedsPerson((text,), USAGE)


# The run of a project.


def hand_in(owner: User, brief: str, **fields: Any) -> Project:
    return create_project(actor=Actor.of_user(owner), name="A project", brief=brief, **fields)


def running(project: Project) -> Project:
    project = Project.objects.get(pk=project.pk)
    if project.status == "draft":
        start_project(project_id=project.pk, actor=Actor.of_user(project.created_by))
    advance_project(project.pk)
    return Project.objects.get(pk=project.pk)


def pending_task(project: Project) -> Task:
    return Task.objects.get(project=project, status="pending", is_current=True)


def started(project: Project, text: str = BRANCHES) -> Project:
    """An active project with this workflow pinned to it, looked at once by the engine."""
    definition = parse_definition(text, "test")
    WorkflowRun.objects.create(
        project=project,
        workflow=definition.name,
        definition=definition.to_json(),
        definition_hash=definition_hash(definition),
    )
    start_project(project_id=project.pk, actor=Actor.of_user(project.created_by))
    return advance(project)


def advance(project: Project) -> Project:
    advance_project(project.pk)
    return Project.objects.get(pk=project.pk)


def current(project: Project, step: str) -> Task:
    return Task.objects.get(project=project, step=step, is_current=True)


def open_steps(project: Project) -> set[str]:
    found = Task.objects.filter(project=project, status="pending", is_current=True)
    return set(found.values_list("step", flat=True))


def first_task(project: Project) -> Task:
    """The pending task of a started project's first step."""
    return pending_task(running(project))


def side_task(project: Project, **fields: Any) -> Task:
    wanted = {"agent_type": "analyst", "instructions": "Compare two catalogues."} | fields
    actor = Actor.of_user(project.created_by)
    return request_task(actor=actor, project_id=project.pk, **wanted)


def claim(task: Task, worker: str = WORKER) -> Claim:
    taken = claim_task(task_id=task.pk, worker=worker)
    assert taken is not None
    return taken


def make_due(task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(run_after=Now())


def let_lease_run_out(task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(lease_expires_at=Now() - HOUR)


def do(project: Project, step: str, outcome: Outcome | None = None) -> Task:
    """The step's agent delivers, and the engine looks."""
    task = current(project, step)
    assert finish_task(claim=claim(task), outcome=outcome or text(f"{step} {task.round}"))
    advance(project)
    task.refresh_from_db()
    return task


def agent_returns(project: Project, outcome: Outcome) -> HitlRequest:
    """The agent whose turn it is returns the outcome; the request that follows."""
    return finish(pending_task(running(project)), outcome)


def finish(task: Task, outcome: Outcome) -> HitlRequest:
    """The agent returns the outcome; the request that the engine opens for it."""
    finish_task(claim=claim(task), outcome=outcome)
    advance_project(task.project_id)
    return HitlRequest.objects.pending().get(task=task)


def escalate(
    project: Project,
    code: str = "no_such_model",
    detail: str = "The provider does not know the model.",
) -> HitlRequest:
    task = pending_task(running(project))
    fail_attempt(claim=claim(task), error=PermanentError(code, detail))
    advance_project(project.pk)
    return HitlRequest.objects.pending().get(task=task)


def asked(project: Project, kind: str = "plan_approval") -> HitlRequest:
    """A pending request of the kind; `escalation_of_work` is one that shows an artifact."""
    if kind == "result_approval":
        return finish(side_task(project), work())
    if kind == "escalation":
        return escalate(project)
    outcomes = {
        "plan_approval": work,
        "clarification": questions,
        "escalation_of_work": failed_work,
    }
    return finish(pending_task(running(project)), outcomes[kind]())


@contextmanager
def work_goes_on() -> Iterator[None]:
    stop = threading.Event()
    worker = threading.Thread(target=_work, args=(stop,))
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()


def _work(stop: threading.Event) -> None:
    try:
        while not stop.wait(0.02):
            work_once()
    finally:
        connection.close()


def work_once() -> None:
    """Look at every project that asks for it, and do every task that is due."""
    waiting = Project.objects.filter(attention_since__isnull=False)
    for project in waiting.values_list("pk", flat=True):
        advance_project(project)
    due = Task.objects.filter(status="pending", run_after__lte=Now())
    for task in due.values_list("pk", flat=True):
        run(task_id=task, worker=WORKER)


# What people do.


def ask_of_agent(
    project: Project, owner: User, arguments: dict[str, Any], key: str = "k", **fields: Any
) -> AgentAction:
    """An agent asks before it makes a call, with a credential of the owner's."""
    credential = AgentCredential.objects.filter(project=project).first()
    if credential is None:
        credential, _ = create_credential(
            project_id=project.pk, actor=Actor.of_user(owner), name="support", scopes=["ask"]
        )
    call = {"tool": {"name": "refund", "server": "payments"}, "agent": {"name": "support"}}
    action, _ = ask_action(
        project_id=project.pk,
        credential=credential,
        idempotency_key=key,
        arguments=arguments,
        **call | fields,
    )
    return action


def decide_as(user: User, request: HitlRequest, action: str = "approve", **fields: Any) -> Decision:
    defaults = {
        "comment": "Because of the risk.",
        "content": DECISION_CONTENT.get(action),
        "subject_digest": request.subject_digest,
    }
    return decide(
        request_id=request.pk,
        actor=Actor.of_user(user),
        action=action,
        channel="rest",
        **defaults | fields,
    )


def approve_all(project: Project, person: User) -> str:
    """Approve whatever is asked, until the project is over; its last status."""

    def is_over() -> bool:
        if request := pending_request(project):
            decide_as(person, request)
        project.refresh_from_db()
        return project.status in OVER

    eventually(is_over)
    return project.status


def work_and_approve_all(project: Project, person: User) -> str:
    """The same in this process alone, without workers."""
    for _ in range(100):
        if project.status in OVER:
            break
        work_once()
        if request := pending_request(project):
            decide_as(person, request)
        project.refresh_from_db()
    return project.status


def set_policy(project: Project, **changes: Any) -> None:
    owner = project.memberships.filter(role="owner").order_by("created_at").first().user
    change_policy(project_id=project.pk, actor=Actor.of_user(owner), **changes)


def join(project: Project, name: str, role: str = "approver") -> User:
    user = make_user(name)
    add_member(project_id=project.pk, actor=Actor.of_user(project.created_by), user=user, role=role)
    return user


def upload(user: User, project: Project, content: dict[str, Any] = OWN, **where: Any) -> None:
    """The next version of the only step's artifact by a person, and what the engine does then."""
    artifact = Artifact.objects.get(project=project, **where or {"step": "orchestrate"})
    add_version(actor=Actor.of_user(user), artifact_id=artifact.pk, content=content)
    advance_project(project.pk)


def let_pass(request: HitlRequest, seconds: float) -> None:
    """Move the request's deadlines nearer: for it, so much time has passed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE hitl_requests SET remind_at = remind_at - make_interval(secs => %(by)s),"
            " due_at = due_at - make_interval(secs => %(by)s),"
            " expires_at = expires_at - make_interval(secs => %(by)s),"
            " claimed_until = claimed_until - make_interval(secs => %(by)s) WHERE id = %(id)s",
            {"by": seconds, "id": request.pk},
        )


def time_out(request: HitlRequest, seconds: float = 100_000) -> HitlRequest:
    let_pass(request, seconds)
    apply_deadlines()
    return fresh(request)


def stop(person: User, **scope: Any) -> EmergencyStop:
    fields = {"reason": "It deletes files."} | scope
    standing, _ = activate_emergency_stop(actor=Actor.of_user(person), **fields)
    record_stop_notices()
    return standing


def release(person: User, **scope: Any) -> EmergencyStop:
    fields = {"reason": "It was a drill."} | scope
    over, _ = release_emergency_stop(actor=Actor.of_user(person), **fields)
    record_stop_notices()
    return over


# What is there then.


def fresh(instance: Any) -> Any:
    """As it is in the database."""
    return type(instance).objects.get(pk=instance.pk)


def pending_request(project: Project) -> HitlRequest | None:
    return HitlRequest.objects.pending().filter(project=project).first()


def request_at(project: Project, step: str) -> HitlRequest:
    return HitlRequest.objects.pending().get(project=project, step=step)


def handed(task: Task) -> list[tuple[str, int]]:
    """From which step, and which version."""
    return [(material["from_step"], material["version"]) for material in task.handoff["materials"]]


def agent_status(task: Task) -> str:
    return AgentStatus.objects.get(project=task.project_id, agent_type=task.agent_type).status


def types_of(item: HitlRequest | UUID) -> list[str]:
    """The event types of a request, or of a project's id, in order."""
    is_request = isinstance(item, HitlRequest)
    filters = {"hitl_request": item.pk} if is_request else {"project": item}
    events = Event.objects.filter(**filters).order_by("sequence")
    return list(events.values_list("event_type", flat=True))


def event_of(request: HitlRequest, event_type: str) -> Event:
    return Event.objects.get(hitl_request=request.pk, event_type=event_type)


def event_data(task: Task, event_type: str) -> list[dict[str, Any]]:
    events = Event.objects.filter(task=task.pk, event_type=event_type)
    return list(events.order_by("sequence").values_list("data", flat=True))


def event_count(item: Project | Task) -> int:
    project_id = item.pk if isinstance(item, Project) else item.project_id
    return Event.objects.filter(project=project_id).count()


def told(project: Project) -> list[tuple[str, dict[str, Any]]]:
    rows = Event.objects.filter(project=project.pk, event_type__startswith="emergency_stop")
    events = rows.order_by("sequence").values_list("event_type", "data")
    return [(kind.removeprefix("emergency_stop_"), data) for kind, data in events]


def in_background(act: Callable[[], object]) -> threading.Thread:
    """In a thread, on a connection of its own."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread
