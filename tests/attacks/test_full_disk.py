"""The disk of the data folder is filled to the last byte, while all of `up` runs on it."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

from tests.live import eventually
from tests.ops.devserver.test_up import Up
from tools.small_disk import NoSmallDisk, fill, make_data_folder, small_disk

SIZE = "700m"
PASSWORD = "correct-horse-9"
BACK_SECONDS = 5


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    try:
        with small_disk(SIZE) as folder:
            yield folder
    except NoSmallDisk as error:
        pytest.skip(str(NoSmallDisk.__doc__ or error))


@pytest.fixture(scope="module")
def up(disk: Path) -> Iterator[Up]:
    data = make_data_folder(disk)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ADMIN_PASSWORD", PASSWORD)
        running = Up(data)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def client(up: Up) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=up.base_url, timeout=20) as client:
        login = {"username": "admin", "password": PASSWORD}
        token = client.post("/api/v1/auth/token/", json=login).json()["token"]
        client.headers["Authorization"] = f"Token {token}"
        yield client


def create(client: httpx.Client, name: str) -> httpx.Response:
    body = {"name": name, "brief": "Members borrow books.", "auto_start": False}
    return client.post("/api/v1/projects/", json=body)


def test_below_the_floor_writes_are_507_reads_go_on_and_all_is_well_with_space(up, client, disk):
    assert create(client, "Before").status_code == 201
    started = {name: up.pid(name) for name in ("web", "agents", "engine", "sweep", "scheduler")}
    filler = fill(disk, leave=10 * 2**20)

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


def test_a_disk_without_a_byte_kills_no_process_of_ours_and_comes_back(up, client, disk):
    names = ("web", "agents", "engine", "sweep", "scheduler")
    started = {name: up.pid(name) for name in names}
    filler = fill(disk)
    eventually(lambda: create(client, "Full").status_code == 507, 5)
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        # What the reserve gave free as well.
        fill(disk)
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
def test_counting_on_a_full_disk_and_the_control_with_mapped_files(disk, how, status):
    folder = disk / f"counts-{how}"
    folder.mkdir()
    (folder / "begun").write_bytes(b"x" * 8192)
    filler = fill(disk, leave=100_000)
    try:
        counting = subprocess.run([sys.executable, "-c", COUNTING, str(folder), how])
        assert counting.returncode == status
        assert values.MmapedDict is MmapedDict
    finally:
        filler.unlink()
        shutil.rmtree(folder)
