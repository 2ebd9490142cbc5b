"""The disk of the data folder is filled to the last byte, while all of `up` runs on it."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

from ops.devserver import data_dir as data_dir_module
from tests.live import eventually
from tests.ops.devserver.test_up import Up

SIZE = "700m"
PASSWORD = "correct-horse-9"
BACK_SECONDS = 5


@pytest.fixture(scope="module")
def small_disk() -> Iterator[Path]:
    """A disk of its own, also for the servers' files, which as root are elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix="paraph-full-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0711", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("A disk that may be filled needs root and the right to mount.")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()


@pytest.fixture(scope="module")
def up(small_disk: Path) -> Iterator[Up]:
    data = small_disk / "data"
    data.mkdir(mode=0o700)
    place = small_disk / "servers"
    place.mkdir(mode=0o711)
    (place / "belongs-to").write_text(str(data))
    (data / "servers").symlink_to(place)
    (data / data_dir_module.lock_path(data).name).touch(mode=0o600)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ADMIN_PASSWORD", PASSWORD)
        running = Up(data)
    yield running
    running.stop()
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def client(up: Up) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=up.base_url, timeout=20) as client:
        login = {"username": "admin", "password": PASSWORD}
        token = client.post("/api/v1/auth/token/", json=login).json()["token"]
        client.headers["Authorization"] = f"Token {token}"
        yield client


def fill(folder: Path, leave: int = 0) -> Path:
    """All that is free now, but for so much; again and again what becomes free meanwhile."""
    path = folder / "filler"
    with contextlib.suppress(OSError), path.open("ab", buffering=0) as file:
        while True:
            disk = os.statvfs(folder)
            free = disk.f_bavail * disk.f_frsize - leave
            if free <= 0:
                break
            file.write(b"\0" * min(free, 2**20))
    return path


def create(client: httpx.Client, name: str) -> httpx.Response:
    body = {"name": name, "brief": "Members borrow books.", "auto_start": False}
    return client.post("/api/v1/projects/", json=body)


def test_below_the_floor_writes_are_507_reads_go_on_and_all_is_well_with_space(
    up, client, small_disk
):
    assert create(client, "Before").status_code == 201
    started = {name: up.pid(name) for name in ("web", "agents", "engine", "sweep", "scheduler")}
    filler = fill(small_disk, leave=10 * 2**20)

    refused = eventually(lambda: (a := create(client, "Full")).status_code == 507 and a, 10)
    assert refused.json()["code"] == "disk_full"
    # Twenty seconds in which everybody counts, logs and reports.
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert client.get("/api/v1/projects/").status_code == 200
        assert client.get("/health/ready").status_code == 200
        assert create(client, "Full").status_code == 507
        time.sleep(0.2)
    assert {name: up.pid(name) for name in started} == started

    filler.unlink()
    freed_at = time.monotonic()
    eventually(lambda: create(client, "After").status_code == 201, 10)
    assert time.monotonic() - freed_at < BACK_SECONDS


def test_a_disk_without_a_byte_kills_no_process_of_ours_and_comes_back(up, client, small_disk):
    names = ("web", "agents", "engine", "sweep", "scheduler")
    started = {name: up.pid(name) for name in names}
    filler = fill(small_disk)
    eventually(lambda: create(client, "Full").status_code == 507, 5)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        # What the reserve gave free as well.
        fill(small_disk)
        assert create(client, "Full").status_code in (503, 507)
        assert client.get("/health/live").status_code == 200
        assert client.get("/metrics").status_code == 200
        time.sleep(0.2)
    assert {name: up.pid(name) for name in names} == started

    filler.unlink()
    freed_at = time.monotonic()
    eventually(lambda: create(client, "After all").status_code == 201, 20)
    assert time.monotonic() - freed_at < BACK_SECONDS
    names_kept = {one["name"] for one in client.get("/api/v1/projects/").json()["results"]}
    assert {"Before", "After", "After all"} <= names_kept


COUNTING = """
import os, sys
os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]
from ops.metrics.files import count_in_files
if sys.argv[2] == "ours":
    count_in_files()
from prometheus_client import Counter
counter = Counter("visits", "Visits.", ["page"])
for number in range(3000):
    counter.labels(f"a page with a longer name {number}").inc()
"""


@pytest.mark.parametrize(("how", "status"), [("ours", 0), ("mapped", -7)])
def test_counting_on_a_full_disk_and_the_control_with_mapped_files(small_disk, how, status):
    folder = small_disk / f"counts-{how}"
    folder.mkdir()
    (folder / "begun").write_bytes(b"x" * 8192)
    filler = fill(small_disk, leave=100_000)
    try:
        counting = subprocess.run([sys.executable, "-c", COUNTING, str(folder), how])
        assert counting.returncode == status
        assert values.MmapedDict is MmapedDict
    finally:
        filler.unlink()
        shutil.rmtree(folder)
