"""`/metrics`: who may read it, and what it says of several processes and of the servers."""

import os
import subprocess
import sys
import threading

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.worker.registry import report_consumer
from ops.devserver.runtime import PROJECT_DIR
from ops.metrics.server import serve_metrics

pytestmark = pytest.mark.django_db

COUNT_AND_STAY = """
import os, sys
if sys.argv[1] == "show":
    import django
    django.setup()
else:
    # What the settings do first, without the seconds that the rest takes.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.environ["METRICS_DIR"]
from audit.metrics import CONNECTIONS, EVENTS
EVENTS.labels("system_warning").inc(2)
CONNECTIONS.labels("websocket").inc(3)
print("counted", flush=True)
sys.stdin.read()
if sys.argv[1] == "show":
    from ops.metrics.exposition import exposition
    print(exposition().decode(), flush=True)
"""


def read(text):
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for one in samples}


def test_it_is_prometheus_text_for_who_asks_on_this_machine(client, report):
    report(report_consumer, "agents@test", ["agents"])

    response = client.get("/metrics")

    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/plain; version=")
    found = read(response.content.decode())
    assert found["paraph_component_up", (("component", "database"),)] == 1
    assert found["paraph_workers", (("queue", "agents"),)] == 1
    assert ("paraph_oldest_due_task_seconds", ()) in found


@pytest.mark.parametrize(
    "how",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"REMOTE_ADDR": ""},
    ],
)
def test_without_a_token_nobody_else_finds_it(client, how):
    response = client.get("/metrics", **how)

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


def test_behind_a_proxy_it_is_there_with_a_token_only(client, settings):
    settings.BEHIND_TLS_PROXY = True

    assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Token right", "Bearer right2"])
def test_with_a_token_set_nothing_else_opens_it(client, settings, given):
    settings.METRICS_TOKEN = "right"

    response = client.get("/metrics", HTTP_AUTHORIZATION=given)

    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")
    assert response.json()["code"] == "not_authenticated"


def test_the_token_opens_it_from_anywhere(client, settings):
    settings.METRICS_TOKEN = "right"
    headers = {"HTTP_AUTHORIZATION": "Bearer right", "REMOTE_ADDR": "192.0.2.7"}

    assert client.get("/metrics/", **headers).status_code == 200


def test_without_redis_the_rest_is_still_said(client, settings, closed_port):
    settings.REDIS_URL = f"redis://127.0.0.1:{closed_port}/0"

    found = read(client.get("/metrics").content.decode())

    assert found["paraph_component_up", (("component", "redis"),)] == 0
    assert found["paraph_component_up", (("component", "database"),)] == 1
    assert ("paraph_workers", (("queue", "agents"),)) not in found


@pytest.fixture
def counting(tmp_path):
    """Starts processes that count in one folder."""
    folder, started = tmp_path / "metrics", []
    folder.mkdir()

    def start(how):
        process = subprocess.Popen(
            [sys.executable, "-c", COUNT_AND_STAY, how],
            env=os.environ | {"METRICS_DIR": str(folder)},
            cwd=PROJECT_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        threading.Timer(60, process.kill).start()
        assert process.stdout.readline() == "counted\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_processes_add_up_and_a_dead_one_has_no_connections(counting):
    first = counting("stay")
    counting("stay")
    first.kill()
    first.communicate()

    text, _ = counting("show").communicate(timeout=60)

    found = read(text)
    assert found["paraph_events_total", (("event_type", "system_warning"),)] == 6
    assert found["paraph_stream_connections", (("kind", "websocket"),)] == 6


def test_a_worker_shows_its_metrics_on_a_port_of_its_own(settings):
    settings.METRICS_TOKEN = "right"
    url = f"http://127.0.0.1:{serve_metrics('127.0.0.1', 0)}"

    shown = httpx.get(f"{url}/metrics", headers={"Authorization": "Bearer right"})

    assert "# TYPE paraph_attempt_seconds histogram" in shown.text
    assert httpx.get(f"{url}/metrics").status_code == 401
    assert httpx.get(url).status_code == 404


@pytest.mark.parametrize(("token", "status"), [("secret", 200), ("", 400)])
def test_with_a_token_it_answers_to_any_name(client, settings, token, status):
    settings.METRICS_TOKEN = token
    headers = {"Host": "web:8000", "Authorization": "Bearer secret"}

    assert client.get("/metrics", headers=headers).status_code == status
