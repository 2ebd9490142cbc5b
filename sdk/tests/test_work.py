"""Workers, with a real server: an agent type that is served from outside."""

import asyncio
import sys
import threading
import time

import pytest

import paraph
from paraph.command import main
from paraph.command.work import read_outputs

CONTENT = {"summary": "Done.", "body": "All of it."}


class Place:
    """A project whose coder works elsewhere, and tasks for it."""

    def __init__(self, home, owner):
        self.home, self.owner = home, owner
        body = {"agent_models": {"coder": "external"}}
        owner.send("PATCH", f"projects/{home.id}/", body)

    def task(self):
        body = {"project": self.home.id, "agent_type": "coder", "instructions": "Do it."}
        return self.owner.send("POST", "tasks/", body).json()["id"]

    def status(self, task):
        return self.owner.send("GET", f"tasks/{task}/").json()["status"]

    def output(self, task):
        path = "artifacts/"
        page = self.owner.send("GET", path, params={"task": task}).json()
        return self.owner.send("GET", f"artifacts/{page['results'][0]['id']}/").json()

    def run(self, worker):
        return worker.run(once=True, connection=self.home.connection())


@pytest.fixture
def place(home, owner, client):
    try:
        client.send("POST", "work/claim/", {"agent_types": ["coder"], "worker": "w"})
    except paraph.ApiError as error:
        if error.status == 404:
            pytest.skip("this server hands out no work over HTTP")
        raise
    return Place(home, owner)


def test_a_worker_does_what_there_is(place):
    tasks = [place.task(), place.task()]

    @paraph.worker("coder", name="robot")
    def code(work: paraph.Work):
        assert work.assignment["instructions"] == "Do it."
        work.progress("half of it")
        return CONTENT | {"body": work.key}

    assert place.run(code) == 2
    assert [place.status(task) for task in tasks] == ["completed", "completed"]


def test_an_async_worker_brings_more_than_the_content(place):
    task = place.task()

    @paraph.worker("coder")
    async def code(work):
        await asyncio.sleep(0)
        output = paraph.Output("agent_output", CONTENT, "The answer")
        return paraph.Result([output], {"model": "mine", "calls": 1}, "Look at it.")

    assert place.run(code) == 1
    assert place.output(task)["content"]["body"] == CONTENT["body"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (paraph.Question("Which colour?"), "waiting_for_hitl"),
        (paraph.WorkFailed("no disk"), "waiting_for_hitl"),
        (ValueError("oh"), "waiting_for_hitl"),
        (None, "waiting_for_hitl"),
    ],
)
def test_a_worker_asks_fails_or_brings_what_does_not_fit(place, error, status):
    task = place.task()

    @paraph.worker("coder")
    def code(work):
        if error:
            raise error
        return {"agent_output": {"nonsense": 1}}

    assert place.run(code) == 1
    assert place.status(task) == status


def test_what_is_released_is_there_for_others(place):
    task = place.task()
    tries = []

    @paraph.worker("coder")
    def code(work):
        tries.append(work.fence)
        if len(tries) == 1:
            raise paraph.Released
        return CONTENT

    place.run(code)
    assert (len(tries), place.status(task)) == (2, "completed")


def test_one_paused_past_its_lease_brings_nothing(place):
    task = place.task()
    taken = threading.Event()

    @paraph.worker("coder", lease_seconds=600)
    def slow(work):
        # Its lease is lost: as a worker would that slept through it.
        work.fence += 1
        taken.set()
        return CONTENT

    place.run(slow)
    assert taken.is_set()
    assert place.status(task) == "working"


def test_an_emergency_stop_cancels_an_async_worker(place, people):
    task = place.task()
    began = threading.Event()
    ended = []

    @paraph.worker("coder", lease_seconds=3)
    async def code(work):
        began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(time.monotonic())
            raise

    working = threading.Thread(
        target=lambda: asyncio.run(code.run_async(once=True, connection=place.home.connection()))
    )
    working.start()
    assert began.wait(30)
    stop = {"project": place.home.id, "reason": "A test."}
    place.owner.send("POST", "emergency-stop/", stop)
    working.join(20)

    assert not working.is_alive()
    assert len(ended) == 1
    assert place.status(task) == "pending"
    place.owner.send("POST", "emergency-stop/release/", stop)


SCRIPT = """
import json, pathlib
assignment = json.load(open("assignment.json"))
assert pathlib.Path("schemas/agent_output.json").exists()
content = {"summary": "Done.", "body": assignment["instructions"]}
pathlib.Path("outputs/agent_output.json").write_text(json.dumps(content))
"""


def test_a_command_serves_a_step(place, monkeypatch, capsys):
    for name, value in (("URL", place.home.url), ("TOKEN", place.home.token)):
        monkeypatch.setenv(f"PARAPH_{name}", value)
    good = place.task()
    assert main(["work", "--agent", "coder", "--once", "--", sys.executable, "-c", SCRIPT]) == 0
    assert place.status(good) == "completed"
    assert place.output(good)["content"]["body"] == "Do it."

    bad = place.task()
    assert main(["work", "--agent", "coder", "--once", "--", "false"]) == 0
    assert place.status(bad) == "waiting_for_hitl"
    assert main(["work", "--agent", "coder"]) == 2


@pytest.mark.parametrize(
    "name", ["outputs", "outputs/note", "outputs/note.json", "outputs/notes.md"]
)
def test_a_command_brings_nothing_from_outside_of_its_folder(tmp_path, name):
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    for path in (outside / "outputs", folder / "outputs"):
        (path / "note").mkdir(parents=True)
        (path / "note.json").write_text("{}")
        (path / "notes.md").write_text("secret")
    (folder / name).rename(tmp_path / "aside")
    (folder / name).symlink_to(outside / name)

    with pytest.raises(paraph.WorkFailed, match="is a link"):
        read_outputs(folder, ["note"])
