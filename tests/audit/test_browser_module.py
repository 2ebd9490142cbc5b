import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.live import WebServer, bounded, token_of, write

MODULE = Path(__file__).parents[2] / "audit/static/audit/stream.js"


pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(shutil.which("node") is None, reason="needs Node"),
]


@pytest.fixture
def browse(tmp_path) -> Callable[..., AbstractContextManager[subprocess.Popen]]:
    """Node with the module, which follows a project up to a sequence; ended after a minute."""
    # Node takes it for a module by its ending.
    module = tmp_path / "stream.mjs"
    module.write_text(MODULE.read_text())

    def started(server: WebServer, project, user, up_to: int) -> AbstractContextManager:
        script = Path(__file__).with_name("browser.mjs")
        command = ["node", "--experimental-websocket", script, module, server.url]
        return bounded([*command, token_of(user), str(project.pk), str(up_to)], seconds=60)

    return started


def test_the_module_follows_a_project_with_a_ticket(web_server: WebServer, project, viewer, browse):
    head = write(project.pk, 7)
    lines = []
    with browse(web_server, project, viewer, head + 4) as browser:
        for line in browser.stdout:
            lines.append(line.strip())
            if lines[-1] == "caught up":
                write(project.pk, 4)
        errors = browser.stderr.read()

    assert browser.wait(20) == 0, errors
    past = [str(sequence) for sequence in range(1, head + 1)]
    live = [str(sequence) for sequence in range(head + 1, head + 5)]
    assert lines == [*past, "caught up", *live]
    assert errors.split() == ["connecting", "live", "ended"]


def test_the_module_comes_back_to_a_server_that_was_killed(mortal, project, viewer, browse):
    head = write(project.pk, 7)
    lines = []
    with browse(mortal, project, viewer, head + 8) as browser:
        for line in browser.stdout:
            lines.append(line.strip())
            if lines.count("caught up") == 1 and lines[-1] == "caught up":
                mortal.kill()
                write(project.pk, 4)
                mortal.start()
            elif lines[-1] == "caught up":
                write(project.pk, 4)
        states = browser.stderr.read().split()

    assert browser.wait(20) == 0, states
    sequences = [int(line) for line in lines if line != "caught up"]
    assert sequences == list(range(1, head + 9))
    assert [state for state in states if state in ("live", "ended")] == ["live", "live", "ended"]
    assert "waiting" in states
