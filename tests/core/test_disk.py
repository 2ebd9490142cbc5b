"""Below the floor of free space nothing new is written, and reading goes on."""

from types import SimpleNamespace

import pytest
from django.db import OperationalError

from agents.services import claim_task
from core import free_space
from core.disk import Disk, disk, lacks_space
from core.free_space import RESERVE_NAME, free_bytes
from orchestrator.engine.sweep import sweep
from tests.scenes import first_task

GIB = 2**30


@pytest.fixture
def full(monkeypatch):
    monkeypatch.setattr(Disk, "is_full", lambda self: True)


@pytest.mark.django_db
@pytest.mark.usefixtures("full")
def test_a_write_is_refused_and_a_read_is_answered(client_of, owner, project):
    client = client_of(owner)

    refused = client.post("/api/v1/projects/", {"name": "Library", "brief": "Books."})

    assert refused.status_code == 507
    assert refused.json()["code"] == "disk_full"
    assert "The disk is full" in refused.json()["detail"]
    assert int(refused.headers["Retry-After"]) > 0
    assert client.get(f"/api/v1/projects/{project.pk}/").status_code == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("full")
def test_a_stop_is_never_refused_for_want_of_space(client_of, owner, project):
    body = {"project": str(project.pk), "reason": "Halt."}

    assert client_of(owner).post("/api/v1/emergency-stop/", body).status_code < 500


@pytest.mark.django_db
def test_the_databases_own_word_is_507_and_counts_for_a_while(client_of, owner, monkeypatch):
    error = OperationalError("could not extend file")
    error.__cause__ = type("DiskFull", (Exception,), {"sqlstate": "53100"})()
    monkeypatch.setattr("projects.views.create_project", lambda **_: (_ for _ in ()).throw(error))
    monkeypatch.setattr(disk, "told_at", float("-inf"))

    answer = client_of(owner).post("/api/v1/projects/", {"name": "Library", "brief": "Books."})

    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    assert disk.is_full()
    monkeypatch.setattr(disk, "told_at", float("-inf"))
    assert not disk.is_full()


@pytest.mark.django_db
def test_no_task_is_taken_and_no_round_of_recovery_writes(project, monkeypatch):
    task = first_task(project)
    monkeypatch.setattr(Disk, "is_full", lambda self: True)
    assert claim_task(task_id=task.pk, worker="w") is None
    assert not any(sweep().values())

    monkeypatch.setattr(Disk, "is_full", lambda self: False)
    assert claim_task(task_id=task.pk, worker="w")


def test_the_floor_is_a_part_of_a_small_disk_and_the_reserve_counts_as_free(
    tmp_path, monkeypatch, settings
):
    settings.DISK_FLOOR_MB = 100
    size = {"blocks": 10 * GIB, "free": 50 * 2**20}

    def statvfs(_):
        return SimpleNamespace(f_blocks=size["blocks"], f_bavail=size["free"], f_frsize=1)

    monkeypatch.setattr(free_space.os, "statvfs", statvfs)
    assert lacks_space(str(tmp_path))
    size["blocks"] = 200 * 2**20
    assert not lacks_space(str(tmp_path))

    before = free_bytes(tmp_path)
    (tmp_path / RESERVE_NAME).write_bytes(b"x" * 8192)
    assert free_bytes(tmp_path) >= before + 8192


def test_a_folder_that_is_not_there_is_not_full():
    assert not lacks_space("/nonexistent")
