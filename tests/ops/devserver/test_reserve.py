"""The file that gives its space free when a disk is full."""

import pytest

from core.free_space import RESERVE_NAME, held_bytes
from ops.devserver import reserve as reserve_module
from ops.devserver.reserve import Reserve

MIB = 2**20
FLOOR_MB = 2


@pytest.fixture
def disk(monkeypatch):
    """What is free beside the reserve."""
    free = {"bytes": 100 * MIB}

    def free_bytes(folder):
        return free["bytes"] + held_bytes(folder / RESERVE_NAME)

    monkeypatch.setattr(reserve_module, "free_bytes", free_bytes)
    monkeypatch.setattr(reserve_module, "floor_bytes", lambda folder, floor_mb: floor_mb * MIB)
    return free


def test_it_is_given_free_when_it_gets_tight_and_made_again_with_space(disk, tmp_path):
    news = []
    reserve, file = Reserve([tmp_path], FLOOR_MB, news.append), tmp_path / RESERVE_NAME

    assert not reserve.tend()
    assert held_bytes(file) == MIB
    assert file.stat().st_mode & 0o077 == 0

    disk["bytes"] = 0
    assert not reserve.tend()
    assert not file.exists()

    disk["bytes"] = 100 * MIB
    assert reserve.tend()
    assert held_bytes(file) == MIB
    assert [line.partition(" ")[0] for line in news] == ["The", "There"]


def test_without_room_for_all_of_it_there_is_none(disk, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(reserve_module.os, "posix_fallocate", refuse, raising=False)

    Reserve([tmp_path], FLOOR_MB, print).tend()

    assert not (tmp_path / RESERVE_NAME).exists()


def test_folders_on_one_disk_have_one_reserve(tmp_path):
    (tmp_path / "servers").mkdir()

    assert len(Reserve([tmp_path, tmp_path / "servers"], FLOOR_MB, print).folders) == 1
