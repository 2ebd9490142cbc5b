"""Requests that wait, on the product's server: for a decision, and for work."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.db import connection

from agents.models import TaskAttempt
from hitl.models import HitlRequest
from tests.live import eventually, token_of

pytestmark = pytest.mark.django_db(transaction=True)
CALL = {"tool": {"name": "refund"}, "arguments": {"order": "7"}, "agent": {"name": "support"}}
AGENTS = ["orchestrator", "analyst", "architect", "coder", "tester", "deployer"]
WAITING = 100
WORKER = Path(settings.BASE_DIR) / "examples" / "agents" / "worker.py"


@pytest.fixture
def people(web_server, owner, approver):
    return {
        user.username: httpx.Client(
            base_url=f"{web_server.url}/api/v1/",
            headers={"Authorization": f"Token {token_of(user)}"},
            timeout=60,
        )
        for user in (owner, approver)
    }


@pytest.fixture
def agent(web_server, people, home):
    return agent_of(web_server, people["owner"], home)


@pytest.fixture
def home(make_project):
    return make_project(workflow="none", auto_start=True)


def agent_of(web_server, owner, project, name="robot"):
    body = {"name": name, "scopes": ["ask", "work"]}
    made = owner.post(f"projects/{project.pk}/credentials/", json=body).json()
    headers = {"Authorization": f"Bearer {made['token']}"}
    client = httpx.Client(base_url=f"{web_server.url}/api/v1/", headers=headers, timeout=60)
    client.credential = made["id"]
    return client


def in_thread(call):
    """The answer of a call that begins now, and how long it took."""
    answers = []

    def run():
        began = time.monotonic()
        answers.append((call(), time.monotonic() - began))

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.5)

    def wait():
        thread.join(60)
        return answers[0]

    return wait


def ask(agent, project, key="k1", query=""):
    headers = {"Idempotency-Key": key}
    return agent.post(f"projects/{project.pk}/actions/{query}", json=CALL, headers=headers)


def approve(approver, action):
    request = HitlRequest.objects.get(agent_action=action["id"])
    body = {"action": "approve", "subject_digest": request.subject_digest}
    answer = approver.post(f"hitl/requests/{request.pk}/decisions/", json=body)
    assert answer.status_code == 201, answer.json()


def test_who_waits_learns_of_a_decision_at_once(agent, people, home):
    action = ask(agent, home).json()
    reading = in_thread(lambda: agent.get(f"actions/{action['id']}/?wait=50"))
    asking = in_thread(lambda: ask(agent, home, query="?wait=50"))

    approve(people["approver"], action)

    for answer, seconds in (reading(), asking()):
        assert answer.json()["status"] == "approved"
        assert seconds < 20
    assert asking()[0].status_code == 201
    began = time.monotonic()
    etag = {"If-None-Match": reading()[0].headers["ETag"]}
    unchanged = agent.get(f"actions/{action['id']}/?wait=1", headers=etag)
    assert (unchanged.status_code, time.monotonic() - began > 1) == (304, True)
    assert agent.get(f"actions/{action['id']}/?wait=51").status_code == 400


def test_who_waits_with_a_revoked_credential_gets_401(agent, people, home):
    action = ask(agent, home).json()
    waiting = in_thread(lambda: agent.get(f"actions/{action['id']}/?wait=50"))
    people["owner"].delete(f"projects/{home.pk}/credentials/{agent.credential}/")
    answer, seconds = waiting()
    assert (answer.status_code, seconds < 20) == (401, True)


def test_waiting_costs_no_thread_and_no_connection(agent, people, home, web_server):
    action = ask(agent, home).json()
    agent.get(f"actions/{action['id']}/?wait=1")
    before = cost(web_server)
    errors = web_server.output().count("Traceback")

    sockets = [waiting_socket(web_server, agent, action) for _ in range(WAITING)]
    time.sleep(3)
    after = cost(web_server)
    for gone in sockets[: WAITING // 2]:
        gone.close()
    eventually(lambda: descriptors(web_server) < WAITING)
    approve(people["approver"], action)
    answers = [socket.recv(65536) for socket in sockets[WAITING // 2 :]]

    # The pools of threads and connections are there already, or grow to their small bound.
    assert after["threads"] - before["threads"] < WAITING / 10
    assert after["connections"] - before["connections"] < WAITING / 10
    assert all(b'ETag: "approved-' in answer for answer in answers)
    assert web_server.output().count("Traceback") == errors


def waiting_socket(web_server, agent, action):
    waiting = socket.create_connection(("127.0.0.1", web_server.port), timeout=30)
    head = (
        f"GET /api/v1/actions/{action['id']}/?wait=50 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: {agent.headers['Authorization']}\r\nConnection: close\r\n\r\n"
    )
    waiting.sendall(head.encode())
    return waiting


def descriptors(web_server):
    return len(os.listdir(f"/proc/{web_server.process.pid}/fd"))


def cost(web_server):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        (connections,) = cursor.fetchone()
    return {
        "threads": len(os.listdir(f"/proc/{web_server.process.pid}/task")),
        "connections": connections,
    }


def test_a_worker_of_thirty_lines_runs_the_whole_sdlc(people, web_server, make_project):
    place = make_project(
        agent_models=dict.fromkeys(AGENTS, "external"), auto_start=True, oversight_level="high"
    )
    key = agent_of(web_server, people["owner"], place).headers["Authorization"].split()[1]
    where = {"PARAPH_URL": web_server.url, "PARAPH_TOKEN": key, "PARAPH_AGENTS": ",".join(AGENTS)}
    worker = subprocess.Popen(
        [sys.executable, str(WORKER)],
        env=os.environ | where,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        approver = people["approver"]
        deadline = time.monotonic() + 60
        while (now := progress(approver, place))["status"] == "active":
            for wait in now["waiting_for"]:
                if wait["hitl_request"]:
                    approve_request(approver, wait["hitl_request"])
            assert worker.poll() is None, worker.stderr.read()
            assert time.monotonic() < deadline, now
            time.sleep(0.1)
    finally:
        worker.kill()
        worker.wait()
    assert (now["status"], now["percent"]) == ("completed", 100)
    providers = set(TaskAttempt.objects.values_list("provider", flat=True))
    assert providers == {"external"}


def progress(client, place):
    return client.get(f"projects/{place.pk}/progress/").json()


def approve_request(approver, request):
    shown = approver.get(f"hitl/requests/{request}/").json()
    body = {"action": "approve", "subject_digest": shown["subject_digest"]}
    approver.post(f"hitl/requests/{request}/decisions/", json=body)
