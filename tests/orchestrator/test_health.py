import socket
import time

import pytest
from django.db import connections

from orchestrator import health
from orchestrator.celery import app
from projects.models import Project

pytestmark = pytest.mark.django_db


@pytest.fixture
def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def silent_port():
    """Takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield server.getsockname()[1]


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/live", "/health/live/"])
def test_the_process_is_alive(client, path):
    response = client.get(path)

    assert response.status_code == 200
    assert response.json() == {"status": "healthy", "service": "countersign", "version": "0.1.0"}


@pytest.mark.parametrize("path", ["/health/ready", "/health/ready/"])
def test_it_is_ready_with_database_and_redis(client, path):
    response = client.get(path)

    assert response.status_code == 200
    components = response.json()["components"]
    assert {name: one["status"] for name, one in components.items()} == {
        "database": "healthy",
        "redis": "healthy",
    }
    assert "no-cache" in response["Cache-Control"]


@pytest.mark.parametrize("port", ["closed_port", "silent_port"])
def test_it_is_not_ready_without_redis(client, settings, request, port):
    secret = "the-password"
    settings.REDIS_URL = f"redis://:{secret}@127.0.0.1:{request.getfixturevalue(port)}/0"
    started = time.monotonic()

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["status"] == "unhealthy"
    assert response.json()["components"]["redis"]["status"] == "unhealthy"
    assert response.json()["components"]["database"]["status"] == "healthy"
    assert secret not in response.content.decode()
    assert time.monotonic() - started < 5
    health.CHECKS["redis"]._pool.submit(lambda: None).result(10)


@pytest.mark.parametrize("port", ["closed_port", "silent_port"])
def test_it_is_not_ready_without_the_database(client, request, monkeypatch, port):
    # The check runs in a thread of its own, with a connection of its own.
    away = connections["default"].settings_dict | {
        "HOST": "127.0.0.1",
        "PORT": request.getfixturevalue(port),
    }
    check = health.Check("database", lambda: connect_to(away))
    monkeypatch.setitem(health.CHECKS, "database", check)
    started = time.monotonic()

    response = client.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["components"]["database"]["status"] == "unhealthy"
    assert "Traceback" not in response.content.decode()
    assert time.monotonic() - started < 5


def connect_to(settings_dict):
    connection = connections.create_connection("default")
    connection.settings_dict = settings_dict
    connection.ensure_connection()


def test_health_is_only_read(client):
    assert client.post("/health").status_code == 405


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
def test_a_project_is_created_while_redis_is_away(owner, client_of, broker_at, request, port):
    broker_at(f"redis://127.0.0.1:{request.getfixturevalue(port)}/0")
    started = time.monotonic()

    response = client_of(owner).post(
        "/api/v1/projects/", {"name": "Library", "brief": "Members borrow books."}
    )

    assert response.status_code == 201
    assert time.monotonic() - started < 4
    project = Project.objects.get(pk=response.json()["id"])
    assert project.status == "active"
    # What the sweep finds, once Redis is back.
    assert project.attention_since is not None
