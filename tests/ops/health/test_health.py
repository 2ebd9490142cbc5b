"""The endpoints on servers that are there, away, and silent."""

import re
from datetime import datetime

import pytest
from django.db import connection, connections
from django.test import Client

from agents.models import Task
from agents.worker.registry import report_consumer, report_scheduler
from audit.models import Event, Stream
from ops.health.check import checks
from orchestrator.celery import app
from projects.models import Project
from tests.databases import administrator
from tests.live import BUSY_SECONDS

pytestmark = pytest.mark.django_db

COMPONENTS = {
    *(
        "database",
        "redis",
        "celery",
        "channel_layer",
        "audit",
        "llm_providers",
        "queues",
        "integrity",
    )
}


@pytest.fixture
def workers(report):
    """As three workers and the scheduler would report themselves."""
    report(report_consumer, "engine@test", ["engine"])
    report(report_consumer, "agents@test", ["agents"])
    report(report_consumer, "sweep@test", ["sweep"])
    report(report_scheduler)


def statuses(response):
    return {name: one["status"] for name, one in response.json()["components"].items()}


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/live", "/health/live/"])
def test_the_process_is_alive(client, path):
    response = client.get(path)

    assert response.status_code == 200
    assert response.json() == {"status": "healthy", "service": "paraph", "version": "0.1.0"}


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/health/detailed"])
def test_it_answers_to_any_name(client, path):
    assert client.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/z", "/metrics"])
def test_there_is_nothing_to_write(path):
    response = Client(enforce_csrf_checks=True).post(path, {"status": "healthy"})

    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/health/ready", "/health/ready/"])
def test_it_is_ready_with_database_and_redis(client, path):
    response = client.get(path)

    assert response.status_code == 200
    assert statuses(response) == {"database": "healthy", "redis": "healthy"}
    assert "no-cache" in response["Cache-Control"]


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("path", ["/health/detailed", "/health/detailed/"])
def test_the_report_names_every_component(client, path):
    response = client.get(path)

    body = response.json()
    assert (response.status_code, body["status"]) == (200, "healthy"), body
    assert set(body) == {"status", "service", "version", "timestamp", "components"}
    assert set(body["components"]) == COMPONENTS
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    for one in body["components"].values():
        assert {"status", "message", "response_time_ms"} <= set(one)
        assert one["response_time_ms"] >= 0
    assert body["components"]["llm_providers"]["status"] == "not_configured"


@pytest.mark.usefixtures("workers")
@pytest.mark.parametrize("path", ["/health/z", "/health/z/"])
def test_the_summary_counts(client, path):
    response = client.get(path)

    body = response.json()
    assert response.status_code == 200
    assert set(body) == {
        *("status", "service", "version", "timestamp"),
        *("checks", "health_percentage", "services_healthy"),
    }
    assert body["checks"] == dict.fromkeys(COMPONENTS, "pass")
    assert (body["health_percentage"], body["services_healthy"]) == (100.0, "8/8")


def test_the_summary_counts_what_fails_without_being_unready_for_it(client):
    body = client.get("/health/z").json()

    assert (body["status"], body["checks"]["celery"]) == ("degraded", "fail")
    assert (body["health_percentage"], body["services_healthy"]) == (87.5, "7/8")
    assert client.get("/health/ready").status_code == 200


@pytest.mark.parametrize("port", ["closed_port", "silent_port"])
def test_without_redis_it_is_not_ready_and_says_so_soon(client, settings, request, stopwatch, port):
    secret = "the-password"
    settings.REDIS_URL = f"redis://:{secret}@127.0.0.1:{request.getfixturevalue(port)}/0"

    ready = client.get("/health/ready")
    summary = client.get("/health/z")
    detailed = client.get("/health/detailed")

    assert (ready.status_code, summary.status_code, detailed.status_code) == (503, 503, 200)
    assert statuses(ready) == {"database": "healthy", "redis": "unhealthy"}
    found = statuses(detailed)
    assert (found["redis"], found["celery"], found["audit"]) == ("unhealthy",) * 2 + ("healthy",)
    assert summary.json()["checks"]["redis"] == "fail"
    for response in (ready, summary, detailed):
        assert secret not in response.content.decode()
        assert "Traceback" not in response.content.decode()
    assert stopwatch.seconds() < 6 + BUSY_SECONDS


@pytest.mark.parametrize("port", ["closed_port", "silent_port"])
def test_without_the_database_it_is_not_ready_and_says_so_soon(
    client, request, monkeypatch, stopwatch, port
):
    away = connection.get_connection_params() | {
        "host": "127.0.0.1",
        "port": request.getfixturevalue(port),
        "password": "the-password",
    }
    monkeypatch.setattr(type(connections["default"]), "get_connection_params", lambda self: away)

    ready = client.get("/health/ready")
    detailed = client.get("/health/detailed")

    assert (ready.status_code, detailed.status_code) == (503, 200)
    assert statuses(ready) == {"database": "unhealthy", "redis": "healthy"}
    found = statuses(detailed)
    assert (found["audit"], found["celery"]) == ("unhealthy", "unhealthy")
    assert "the-password" not in detailed.content.decode()
    assert stopwatch.seconds() < 6 + BUSY_SECONDS


@pytest.mark.parametrize("path", ["/health", "/health/z", "/health/detailed", "/health/ready"])
def test_health_is_only_read(client, path):
    assert client.post(path).status_code == 405


def test_the_audit_check_leaves_nothing_behind(client):
    before = Event.objects.count(), Stream.objects.count()

    assert statuses(client.get("/health/detailed"))["audit"] == "healthy"

    assert (Event.objects.count(), Stream.objects.count()) == before


@pytest.mark.django_db(transaction=True)
def test_the_audit_check_sees_that_nothing_can_be_appended(client):
    administrator().execute("ALTER TABLE event_log ADD CONSTRAINT full_up CHECK (id < 0) NOT VALID")
    try:
        response = client.get("/health/detailed")
    finally:
        administrator().execute("ALTER TABLE event_log DROP CONSTRAINT full_up")

    assert response.json()["components"]["audit"]["status"] == "unhealthy"
    assert response.json()["components"]["database"]["status"] == "healthy"
    assert "full_up" not in response.content.decode()


def test_the_text_of_an_unexpected_error_is_kept_to_the_log(client, monkeypatch, caplog):
    def break_down():
        raise RuntimeError("password=secret")

    monkeypatch.setattr(checks["audit"], "_run", break_down)

    response = client.get("/health/detailed")

    assert response.json()["components"]["audit"]["status"] == "unhealthy"
    assert not re.search("secret|Traceback|RuntimeError", response.content.decode())
    assert "password=secret" in caplog.text


@pytest.fixture
def broker_at(monkeypatch):
    """Point what rings at another place, and back."""

    def point(url):
        app.amqp._producer_pool = None
        app._pool = None
        monkeypatch.setattr(app.conf, "broker_write_url", url)

    yield point
    app.amqp._producer_pool = None
    app._pool = None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("port", ["closed_port", "silent_port"])
def test_a_project_is_created_while_redis_is_away(
    owner, client_of, broker_at, request, stopwatch, port
):
    broker_at(f"redis://127.0.0.1:{request.getfixturevalue(port)}/0")

    response = client_of(owner).post(
        "/api/v1/projects/", {"name": "Library", "brief": "Members borrow books."}
    )

    assert response.status_code == 201
    assert stopwatch.seconds() < 4 + BUSY_SECONDS
    project = Project.objects.get(pk=response.json()["id"])
    assert project.status == "active"
    # What the sweep finds, once Redis is back.
    assert Task.objects.filter(project=project, status="pending").count() == 1
