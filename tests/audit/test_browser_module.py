import shutil
import subprocess
from pathlib import Path

import pytest

from tests.audit.live import Daphne, token_of, write

pytestmark = pytest.mark.django_db(transaction=True)

MODULE = Path(__file__).parents[2] / "audit/static/audit/stream.js"


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_module_follows_a_project_with_a_ticket(daphne: Daphne, project, viewer, tmp_path):
    # Node takes it for a module by its ending.
    module = tmp_path / "stream.mjs"
    module.write_text(MODULE.read_text())
    head = write(project.pk, 7)
    script = Path(__file__).with_name("browser.mjs")
    browser = subprocess.Popen(
        [
            *("node", "--experimental-websocket", script, module, daphne.url),
            *(token_of(viewer), str(project.pk), str(head + 4)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = []
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
