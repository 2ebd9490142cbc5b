"""Each adapter with its real framework: three calls in one batch, and a process that is killed."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import MAIN

ADAPTERS = Path(os.environ["ADAPTERS"])
EXAMPLES = MAIN / "examples" / "agents"
PAGES = {
    "pydantic_ai": "pydantic-ai.md",
    "langgraph": "langgraph.md",
    "openai_agents": "openai-agents.md",
    "claude_agent": "claude-agent-sdk.md",
}
NAMES = [path.name for path in sorted(ADAPTERS.iterdir()) if (path / ".installed").exists()]


def start(name, home, state, script=None):
    environment = {
        "PARAPH_URL": home.url,
        "PARAPH_TOKEN": home.token,
        "PARAPH_PROJECT": home.id,
        "PARAPH_AGENT": "support",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(EXAMPLES),
    }
    return subprocess.Popen(
        [ADAPTERS / name / "bin" / "python", script or EXAMPLES / f"with_{name}.py", state],
        # Claude Code would take up what is set here for another one.
        env={k: v for k, v in os.environ.items() if not k.startswith(("CLAUDE", "ANTHROPIC"))}
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def asked(home, process):
    """The requests about the three orders, by order."""
    limit = time.monotonic() + 60
    while len(pending := home.pending()) < 3:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit, pending
        time.sleep(0.1)
    return {order: request for request in pending if (order := home.order_of(request))}


@pytest.mark.parametrize("name", NAMES)
def test_approve_amend_and_reject_in_one_batch_over_a_kill(name, home, tmp_path):
    state = tmp_path / f"{home.id}.json"
    first = start(name, home, state)
    requests = asked(home, first)
    os.killpg(first.pid, signal.SIGKILL)
    printed, _ = first.communicate()
    assert "refunded" not in printed

    home.decide(request=requests["1"])
    home.decide("amend", request=requests["2"], content={"order": "2", "amount": 5})
    home.decide("reject", request=requests["3"], comment="Ask the shop.")
    home.decide(by=1)  # what was written anew
    second = start(name, home, state)
    printed, errors = second.communicate(timeout=120)

    assert second.returncode == 0, errors
    lines = printed.splitlines()
    assert sorted(line for line in lines if line.startswith("refunded")) == [
        "refunded 10 for 1",
        "refunded 5 for 2",
    ]
    assert "Ask the shop." in lines[-1]
    by_order = {action["arguments"]["order"]: action for action in home.actions()}
    assert {order: action["status"] for order, action in by_order.items()} == {
        "1": "succeeded",
        "2": "succeeded",
        "3": "denied",
    }
    assert by_order["2"]["arguments"] == {"order": "2", "amount": 5}


@pytest.mark.parametrize("name", [name for name in NAMES if name != "claude_agent"])
def test_what_only_the_framework_approves_does_not_run(name, home, tmp_path):
    script = Path(__file__).with_name(f"bypass_{name}.py")
    process = start(name, home, tmp_path / "unused", script)
    for _ in range(3):
        home.decide("reject", comment="Not by this way.")

    printed, errors = process.communicate(timeout=120)

    assert process.returncode == 0, errors
    assert "refunded" not in printed
    assert printed.count("Not by this way.") == 3
    assert {action["status"] for action in home.actions()} == {"denied"}


@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_each_framework_runs_as_it_stands(name, home, tmp_path):
    page = (MAIN / "docs" / "agents" / PAGES[name]).read_text()
    script = tmp_path / "page.py"
    script.write_text(page.split("```python\n")[1].split("```")[0])
    process = start(name, home, tmp_path / "unused", script)
    for request in asked(home, process).values():
        home.decide(request=request)

    printed, errors = process.communicate(timeout=120)

    assert process.returncode == 0, errors
    assert printed.count("refunded 10 for") == 3
