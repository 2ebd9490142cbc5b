"""Workflow steps a second, and from a decision to the start of the next step."""

import time
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection

from audit.actors import Actor
from hitl.models import HitlRequest
from hitl.services import decide
from orchestrator.engine.advance import open_run
from orchestrator.engine.definition import parse_definition
from projects.models import Project
from projects.services import create_project, start_project
from projects.transaction import ProjectTransaction

STEP = """
  - id: step_{n}
    title: Step {n}
    phase: build
    agent: coder
    needs: [{needs}]
    creates: [agent_output]
    gate: result
    instructions: Answer at once.
"""

WAIT_LIMIT_SECONDS = 300
# Who waits for the floor sleeps until it is told; to look more often would slow what is measured.
POLL_SECONDS = 0.02


def chain(length: int) -> str:
    """A workflow of steps one after the other."""
    steps = "".join(STEP.format(n=n, needs=f"step_{n - 1}" if n else "") for n in range(length))
    return f"name: bench\nversion: 1\ntitle: A chain\nsteps:\n{steps}"


def make_project(length: int, oversight_level: str) -> Project:
    """A draft with its own pinned workflow."""
    user, _ = User.objects.get_or_create(username="bench")
    actor, definition = Actor.of_user(user), parse_definition(chain(length), "bench")
    project = create_project(
        actor=actor,
        name="Bench",
        brief="A chain of steps.",
        oversight_level=oversight_level,
        auto_start=False,
    )
    with ProjectTransaction(project.pk, actor) as tx:
        open_run(tx, definition)
    return project


def steps_a_second(projects: int, steps: int) -> float:
    """Projects side by side, each a chain of steps without a person."""
    made = [make_project(steps, "low") for _ in range(projects)]
    actor = Actor.of_user(User.objects.get(username="bench"))
    start = time.perf_counter()
    for project in made:
        start_project(project_id=project.pk, actor=actor)
    ids = [project.pk for project in made]
    wait_until(lambda: not Project.objects.filter(pk__in=ids).exclude(status="completed").exists())
    return projects * steps / (time.perf_counter() - start)


def decision_to_start_seconds(count: int) -> list[float]:
    """One decision after the other: from recorded to the next step's claim.

    Both times are the database's, from the event log.
    """
    waits: list[float] = []
    while len(waits) < count:
        waits += _decide_through(min(50, count - len(waits)))
    return waits


def _decide_through(count: int) -> list[float]:
    project = make_project(count + 1, "medium")
    actor = Actor.of_user(User.objects.get(username="bench"))
    start_project(project_id=project.pk, actor=actor)
    for number in range(count):
        request = wait_until(lambda n=number: _pending(project.pk, f"step_{n}"))
        decide(
            request_id=request.pk,
            actor=actor,
            action="approve",
            subject_digest=request.subject_digest,
            channel="bench",
        )
    wait_until(lambda: _pending(project.pk, f"step_{count}"))
    return _waits(project.pk)


def _pending(project_id: UUID, step: str) -> HitlRequest | None:
    return HitlRequest.objects.pending().filter(project=project_id, step=step).first()


def _waits(project_id: UUID) -> list[float]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT extract(epoch FROM min(started.created_at) - decided.created_at)
               FROM event_log AS decided JOIN event_log AS started
                 ON started.project = decided.project AND started.sequence > decided.sequence
                AND started.event_type = 'task_started'
               WHERE decided.project = %s AND decided.event_type = 'hitl_decision_recorded'
               GROUP BY decided.sequence, decided.created_at""",
            [project_id],
        )
        return [float(row[0]) for row in cursor.fetchall()]


def wait_until(fact, every=POLL_SECONDS):
    """Poll for a fact; raises TimeoutError when it does not come."""
    limit = time.monotonic() + WAIT_LIMIT_SECONDS
    while time.monotonic() < limit:
        if found := fact():
            return found
        time.sleep(every)
    raise TimeoutError("the benchmark waited too long")
