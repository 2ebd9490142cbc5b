"""`make bench-asks`: actions with 100,000 pending beside 100, and 500 asks that wait.

First what agents and people do with a queue of pending actions in one project: asking, listing,
deciding, claiming. Then requests that wait at one web server for a decision, by `?wait=50`: what
they cost it in threads and connections to the database, and how soon all of them are answered.
"""

import argparse
import os
import socket
import time
from collections.abc import Callable
from copy import copy
from typing import Any

from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import override_settings
from rest_framework.test import APIClient

from accounts.tokens import create_login_token
from audit.actors import Actor
from core.database import as_owner
from core.ids import new_id
from hitl.models import AgentAction, HitlRequest
from projects.credentials import create_credential
from projects.services import add_member, create_project
from tools.benchmarks.__main__ import percentile
from tools.benchmarks.stack import WebServer, web_server

FEW, MANY, WAITING = 100, 100_000, 500
AIM_RATIO = 1.5
SPARE_SECONDS = 3
CALL = {
    "tool": {"name": "refund", "server": "payments"},
    "arguments": {"order": "1234", "amount": 12.5},
    "agent": {"name": "support"},
}
CONNECTIONS = """
    SELECT count(*) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def report(options: argparse.Namespace) -> None:
    home = Home()
    with override_settings(ALLOWED_HOSTS=["*"]):
        few = home.measured(FEW, options.samples)
        many = home.measured(MANY, options.samples)
    head = f"{FEW:>10,}{MANY:>10,}{'ratio':>8}"
    print(f"{'ms':24}{'p50:':>6}{head}{'p95:':>8}{head}")
    for name, times in many.items():
        line = f"{name:24}"
        for part, width in ((0.5, 6), (0.95, 8)):
            before, after = (percentile(values, part) * 1000 for values in (few[name], times))
            line += f"{'':{width}}{before:>10.1f}{after:>10.1f}{after / before:>8.2f}"
        print(line)
    with web_server("orchestrator.asgi:application", "uvicorn") as server:
        home.wait_at(server)


class Home:
    """A project without a workflow, an agent with a credential, and somebody who decides."""

    def __init__(self) -> None:
        owner = User.objects.create_user("asks-owner")
        approver = User.objects.create_user("asks-approver")
        actor = Actor.of_user(owner)
        self.project = create_project(
            actor=actor, name="Asks", brief="A home for actions.", workflow="none"
        )
        add_member(project_id=self.project.pk, actor=actor, user=approver, role="approver")
        _, self.token = create_credential(
            project_id=self.project.pk, actor=actor, name="support", scopes=["ask"]
        )
        self.agent, self.person = (APIClient(SERVER_NAME="localhost") for _ in range(2))
        self.agent.credentials(HTTP_AUTHORIZATION=f"Bearer {self.token}")
        self.person.credentials(HTTP_AUTHORIZATION=f"Token {create_login_token(approver)}")
        self.first = self.asked()

    def asked(self) -> dict[str, Any]:
        path = f"/api/v1/projects/{self.project.pk}/actions/"
        key = {"Idempotency-Key": str(new_id())}
        answer = self.agent.post(path, CALL, format="json", headers=key)
        assert answer.status_code == 202, answer.content
        return answer.json()

    def fill(self, wanted: int) -> None:
        """Copies of the first, until so many are pending."""
        missing = wanted - HitlRequest.objects.pending().count()
        action = AgentAction.objects.get(pk=self.first["id"])
        request = HitlRequest.objects.get(agent_action=action)
        actions, requests = [], []
        for _ in range(max(0, missing)):
            actions.append(renewed(action, idempotency_key=str(new_id())))
            requests.append(renewed(request, agent_action_id=actions[-1].pk))
        AgentAction.objects.bulk_create(actions, batch_size=1000)
        HitlRequest.objects.bulk_create(requests, batch_size=1000)
        with as_owner(), connection.cursor() as cursor:
            # As autovacuum leaves it: lists count what they find by the index alone.
            cursor.execute("VACUUM ANALYZE agent_actions, hitl_requests")

    def measured(self, pending: int, samples: int) -> dict[str, list[float]]:
        """Seconds of each sample, by what was done; each leaves as many pending as there were."""
        self.fill(pending)
        of_project = f"/api/v1/projects/{self.project.pk}/actions/?status=pending"
        mine = f"/api/v1/hitl/requests/?status=pending&project={self.project.pk}"
        lists = {
            "list, the agent's": (self.agent, of_project),
            "list, a person's": (self.person, of_project),
            "list, all projects": (self.person, "/api/v1/actions/?status=pending"),
            "list of requests": (self.person, mine),
            "what waits for me": (self.person, "/api/v1/hitl/requests/?mine=true"),
        }
        times: dict[str, list[float]] = {}
        for _ in range(samples):
            action = timed(times, "ask", self.asked)
            timed(
                times, "read", lambda a=action: self.get(self.agent, f"/api/v1/actions/{a['id']}/")
            )
            for name, (client, path) in lists.items():
                timed(times, name, lambda c=client, p=path: self.get(c, p))
            timed(times, "decide", lambda a=action: self.decide(a))
            timed(times, "claim", lambda a=action: self.claim(a))
        # What comes first is loaded first.
        return {name: values[samples // 10 :] for name, values in times.items()}

    def get(self, client: APIClient, path: str) -> dict[str, Any]:
        answer = client.get(path)
        assert answer.status_code == 200, answer.content
        return answer.json()

    def decide(self, action: dict[str, Any]) -> None:
        path = f"/api/v1/hitl/requests/{action['request']}/"
        digest = HitlRequest.objects.values_list("subject_digest", flat=True)
        body = {"action": "approve", "subject_digest": digest.get(pk=action["request"])}
        answer = self.person.post(f"{path}decisions/", body, format="json")
        assert answer.status_code == 201, answer.content

    def claim(self, action: dict[str, Any]) -> None:
        path, body = (
            f"/api/v1/actions/{action['id']}/claim/",
            {"action_digest": action["action_digest"]},
        )
        answer = self.agent.post(path, body, format="json")
        assert answer.status_code == 200, answer.content

    def wait_at(self, server: WebServer) -> None:
        """As many asks as wait at once, and the decision that ends it for all."""
        action = self.asked()
        before = cost(server)
        waiting = [self.waiting(server, action) for _ in range(WAITING)]
        time.sleep(SPARE_SECONDS)
        during = cost(server)
        began = time.monotonic()
        self.decide(action)
        answers = [one.recv(65_536) for one in waiting]
        seconds = time.monotonic() - began
        wrong = [a for a in answers if b'ETag: "approved-' not in a]
        assert not wrong, wrong[0][:2000]
        print(f"\n{WAITING} asks wait at one web server")
        for name in ("threads", "connections"):
            print(f"{name:24}{before[name]:>10}{during[name]:>10}")
        print(f"{'all answered after, s':24}{seconds:>20.1f}")

    def waiting(self, server: WebServer, action: dict[str, Any]) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        client.sendall(
            f"GET /api/v1/actions/{action['id']}/?wait=50 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self.token}\r\nConnection: close\r\n\r\n".encode()
        )
        return client


def renewed(row: Any, **changes: Any) -> Any:
    """The same once more, as a row of its own."""
    new = copy(row)
    new.pk, new._state = new_id(), copy(row._state)
    new._state.adding = True
    for name, value in changes.items():
        setattr(new, name, value)
    return new


def timed(times: dict[str, list[float]], name: str, act: Callable[[], Any]) -> Any:
    began = time.perf_counter()
    result = act()
    times.setdefault(name, []).append(time.perf_counter() - began)
    return result


def cost(server: WebServer) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(CONNECTIONS)
        (connections,) = cursor.fetchone()
    return {"threads": len(os.listdir(f"/proc/{server.pid}/task")), "connections": connections}
