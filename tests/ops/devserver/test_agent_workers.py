import socket

import pytest

from ops.devserver import dev_server
from ops.devserver.console import Console
from ops.devserver.data_dir import open_data_dir
from ops.devserver.dev_server import DevServer


@pytest.fixture
def agent_workers(tmp_path):
    """The agents' workers that `up` would start: name, tasks and programs at once."""
    data = open_data_dir(tmp_path / "data", system_dir=tmp_path)

    def plan(tasks, programs):
        with socket.socket() as listener:
            server = DevServer(
                data,
                listener,
                needs=set(),
                environment={},
                console=Console({}),
                agent_concurrency=tasks,
                sandbox_concurrency=programs,
            )
            return [
                (
                    child.name,
                    child.environment["AGENT_CONCURRENCY"],
                    child.environment["SANDBOX_CONCURRENCY"],
                )
                for child in server.programs()
                if "--queues=agents" in child.arguments
            ]

    yield plan
    data.close()


def test_each_core_has_a_worker_and_together_they_do_as_much_as_was_set(agent_workers, monkeypatch):
    monkeypatch.setattr(dev_server, "cores", lambda: 2)

    assert agent_workers(tasks=33, programs=2) == [("agents", "17", "1"), ("agents-2", "16", "1")]
    assert agent_workers(tasks=1, programs=4) == [("agents", "1", "4")]


def test_a_machine_of_many_cores_has_eight(agent_workers, monkeypatch):
    monkeypatch.setattr(dev_server, "cores", lambda: 96)

    workers = agent_workers(tasks=32, programs=96)

    assert [worker[1:] for worker in workers] == [("4", "12")] * 8
