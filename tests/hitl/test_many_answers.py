"""Ten answers to each of many requests, through HTTP, on the real server.

REQUESTS= says how many; `make test-races` makes them a hundred.
"""

import os
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User

from agents.services import claim_task, finish_task
from audit.models import Event
from audit.verification import verify_stream
from hitl.models import Decision, HitlRequest
from orchestrator.engine.advance import advance_project
from projects.models import Membership, Project
from tests.fixtures import make_user
from tests.live import WebServer, token_of
from tests.scenes import OWN, side_task, work

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

PROJECTS, CLIENTS, ANSWERS_EACH = 10, 50, 10
REQUESTS = int(os.environ.get("REQUESTS", "20"))
ACTIONS = ("approve", "amend", "request_changes")
# A busy machine takes its time; nothing here may wait for ever.
PATIENCE_SECONDS = 240


def ask_many(projects: list[Project]) -> list[HitlRequest]:
    for project in projects:
        for _ in range(REQUESTS // PROJECTS):
            claim = claim_task(task_id=side_task(project).pk, worker="test:1:1")
            finish_task(claim=claim, outcome=work())
        advance_project(project.pk)
    return list(HitlRequest.objects.pending().order_by("pk"))


def clients_of(projects: list[Project]) -> list[str]:
    """Tokens of people who may all decide on everything."""
    users = [make_user(f"client-{number}") for number in range(CLIENTS)]
    Membership.objects.bulk_create(
        Membership(project=project, user=user, role="approver")
        for project in projects
        for user in users
    )
    return [token_of(user) for user in users]


def answers_of(number: int, requests: list[HitlRequest]) -> list[tuple[str, dict[str, Any]]]:
    """What one client sends, in an order of its own."""
    mine = [
        (place, request)
        for place, request in enumerate(requests)
        if (number - place * ANSWERS_EACH) % CLIENTS < ANSWERS_EACH
    ]
    random.Random(number).shuffle(mine)
    return [_answer(request, ACTIONS[(number + place) % 3]) for place, request in mine]


def _answer(request: HitlRequest, action: str) -> tuple[str, dict[str, Any]]:
    body = {"action": action, "subject_digest": request.subject_digest, "comment": "So be it."}
    return str(request.pk), body | ({"content": OWN} if action == "amend" else {})


def send_all(
    url: str, token: str, answers: list[tuple[str, dict[str, Any]]], start: threading.Barrier
) -> list[tuple[str, httpx.Response]]:
    headers = {"Authorization": f"Token {token}"}
    # It is no TLS, and to read all certificates for each client takes long.
    options = {"timeout": PATIENCE_SECONDS, "verify": False}
    with httpx.Client(base_url=url, headers=headers, **options) as client:
        start.wait(PATIENCE_SECONDS)
        return [
            (pk, client.post(f"/api/v1/hitl/requests/{pk}/decisions/", json=body))
            for pk, body in answers
        ]


def test_of_ten_answers_to_each_one_stands_and_the_others_hear_which(
    make_project,
    owner: User,
    web_server: WebServer,
):
    projects = [make_project(name=f"Project {number}") for number in range(PROJECTS)]
    requests, tokens = ask_many(projects), clients_of(projects)
    plans = [answers_of(number, requests) for number in range(CLIENTS)]
    start = threading.Barrier(CLIENTS)

    with ThreadPoolExecutor(CLIENTS) as pool:
        sent = [
            pool.submit(send_all, web_server.url, token, plan, start)
            for token, plan in zip(tokens, plans, strict=True)
        ]
        answers = [pair for future in sent for pair in future.result(PATIENCE_SECONDS)]

    standing = {str(future.request_id): str(future.pk) for future in Decision.objects.all()}
    decisions = {pk: answer.json()["decision"]["id"] for pk, answer in answers if answer.is_success}
    refused = [(pk, answer.json()) for pk, answer in answers if answer.status_code == 409]
    assert (len(requests), len(answers)) == (REQUESTS, REQUESTS * ANSWERS_EACH)
    assert Counter(answer.status_code for _, answer in answers) == {
        201: REQUESTS,
        409: REQUESTS * (ANSWERS_EACH - 1),
    }
    assert decisions == standing
    assert {body["code"] for _, body in refused} == {"already_decided"}
    assert all(body["decision"]["id"] == standing[pk] for pk, body in refused)
    assert Event.objects.filter(event_type="hitl_decision_recorded").count() == REQUESTS
    assert Event.objects.filter(event_type="hitl_request_resolved").count() == REQUESTS
    assert all(verify_stream(project.pk).valid for project in projects)
