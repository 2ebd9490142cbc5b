"""The deadline against the answer: whoever is first, there is one outcome.

RACES= says how many; `make test-races` runs 2,000 of them.
"""

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count

from agents.models import Task
from audit.actors import Actor
from audit.models import Event
from audit.verification import verify_stream
from core.errors import Gone
from hitl.models import AgentAction, Decision, HitlRequest
from hitl.services import apply_deadlines, open_request
from projects.enums import NO_WORKFLOW
from projects.models import Project
from projects.transaction import ProjectTransaction
from tests.scenes import ask_of_agent, decide_as, set_policy

RACES = int(os.environ.get("RACES", "100"))
PEOPLE, SWEEPS = 4, 2
PATIENCE_SECONDS = 60 + RACES / 4
# From a little before now to a little after.
DEADLINE = """
    UPDATE hitl_requests SET expires_at = clock_timestamp() + make_interval(secs => %s)
    WHERE id = %s
"""

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(int(PATIENCE_SECONDS * 3)),
]


def ask_many(projects: list[Project]) -> list[HitlRequest]:
    """A question of an agent in each project, of ours or of one that runs elsewhere."""
    return [
        ask_of_agent(project, project.created_by, {"order": "1"}).requests.get()
        if project.workflow == NO_WORKFLOW
        else _ask(project)
        for project in projects
    ]


def _ask(project: Project) -> HitlRequest:
    with ProjectTransaction(project.pk, Actor.of_system("engine")) as tx:
        task = Task.objects.create(
            project=project,
            agent_type="analyst",
            instructions="Compare.",
            status="waiting_for_hitl",
            waits_for="clarification",
            handoff={"expected_outputs": ["agent_output"], "materials": [], "feedback": []},
            result={"questions": ["Which?"]},
        )
        return open_request(tx, task)


def in_a_thread(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connection.close()


def race(people: Iterator[HitlRequest], lock: threading.Lock, user: User) -> dict[str, str]:
    """One person's answers, each sent when the time is about up; what they were told."""
    outcomes, chance = {}, random.Random(threading.get_ident())
    # About as long as a decision takes on this machine, now.
    longest = 0.03
    while True:
        with lock:
            request = next(people, None)
        if request is None:
            return outcomes
        with connection.cursor() as cursor:
            cursor.execute(DEADLINE, [chance.uniform(-0.002, longest), request.pk])
        outcome = outcomes[str(request.pk)] = answer(request, user)
        longest *= 1.1 if outcome == "expired" else 1 / 1.1


def answer(request: HitlRequest, user: User) -> str:
    """To approve an action, or to answer a question."""
    is_action = request.agent_action_id is not None
    try:
        if is_action:
            decide_as(user, request, "approve", content=None)
        else:
            decide_as(user, request, "answer")
    except Gone:
        return "expired"
    return "approved" if is_action else "answered"


def sweep_until(is_over: threading.Event) -> int:
    swept = 0
    while not is_over.wait(0.001):
        swept += apply_deadlines()
    return swept + apply_deadlines()


def outcomes_in_the_log() -> Counter:
    """By request: how often it ended, in whatever way."""
    ends = ("hitl_request_resolved", "hitl_request_expired")
    request_ids = Event.objects.filter(event_type__in=ends).values_list("hitl_request", flat=True)
    return Counter(str(pk) for pk in request_ids)


def test_there_are_never_two_outcomes(make_project, approver):
    elsewhere = {"workflow": NO_WORKFLOW, "auto_start": True}
    projects = [
        make_project(name=f"Project {number}", **(elsewhere if number % 2 else {}))
        for number in range(RACES)
    ]
    for project in projects:
        set_policy(project, on_timeout="reject")
    requests = ask_many(projects)
    people, lock, is_over = iter(requests), threading.Lock(), threading.Event()

    with ThreadPoolExecutor(PEOPLE + SWEEPS) as pool:
        sweeps = [pool.submit(in_a_thread, lambda: sweep_until(is_over)) for _ in range(SWEEPS)]
        answers = [
            pool.submit(in_a_thread, lambda: race(people, lock, approver)) for _ in range(PEOPLE)
        ]
        try:
            outcomes = {}
            for future in answers:
                outcomes |= future.result(PATIENCE_SECONDS)
        finally:
            is_over.set()
        swept = sum(future.result(PATIENCE_SECONDS) for future in sweeps)

    status = {str(pk): s for pk, s in HitlRequest.objects.values_list("pk", "status")}
    tasks = dict(Task.objects.values_list("status").order_by().annotate(n=Count("pk")))
    answered = {pk for pk, s in status.items() if s != "expired"}
    of_actions = HitlRequest.objects.filter(agent_action__isnull=False)
    permitted = set(of_actions.filter(status="approved").values_list("agent_action", flat=True))
    by_task = RACES - of_actions.count()
    answered_tasks = len(answered) - len(permitted)
    assert outcomes == status
    assert set(outcomes_in_the_log().values()) == {1}
    assert len(outcomes_in_the_log()) == len(status) == RACES
    assert {str(pk) for pk in Decision.objects.values_list("request", flat=True)} == answered
    assert tasks == {"pending": answered_tasks, "failed": by_task - answered_tasks}
    approved = AgentAction.objects.filter(status="approved").values_list("pk", flat=True)
    assert set(approved) == permitted
    assert AgentAction.objects.exclude(status__in=("approved", "expired")).count() == 0
    assert swept == RACES - len(answered)
    assert 0 < len(answered) < RACES, "only one of them ever won: that was no race"
    assert all(verify_stream(project.pk).valid for project in projects)
