"""The command `paraph`, with a real server."""

import io
import json
import sys
from pathlib import Path

import pytest

from paraph.command import main
from paraph.command.text import escaped
from tests.conftest import ADDRESS, PASSWORD, python


@pytest.fixture(autouse=True)
def _at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("PARAPH_CONFIG", str(tmp_path / "settings.json"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in (*ADDRESS, "PARAPH_PERSON_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def shell(monkeypatch, home):
    """An agent's and a person's environment."""
    for name, value in (
        ("URL", home.url),
        ("TOKEN", home.token),
        ("PROJECT", home.id),
        ("AGENT", "support"),
        ("PERSON_TOKEN", home.people[0].connection.token),
    ):
        monkeypatch.setenv(f"PARAPH_{name}", value)
    return home


def test_a_person_logs_in_and_decides_on_what_an_agent_asks(shell, monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("PARAPH_PERSON_TOKEN")
    monkeypatch.setattr("getpass.getpass", lambda prompt: PASSWORD)
    assert main(["ask", "refund", "order=1", "amount:=12.5", "--why", "L\u202eost"]) == 3
    assert main(["login", shell.url, "--username", "boss"]) == 0
    assert (tmp_path / "settings.json").stat().st_mode & 0o777 == 0o600
    capsys.readouterr()

    assert main(["inbox", "--project", shell.id]) == 0
    listed = capsys.readouterr().out
    request = listed.split()[0]
    assert '"order": "1"' in listed
    assert main(["decide", request]) == 0
    shown = capsys.readouterr().out
    digest = next(line.split()[1] for line in shown.splitlines() if line.startswith("digest"))
    assert main(["decide", request, "reject", "--digest", digest, "--comment", "Ask first."]) == 0

    assert '"amount": 12.5' in shown
    assert "L‹U+202E›ost" in shown
    assert shown.index("arguments") < shown.index("The agent claims")
    assert main(["wait", shell.actions()[0]["id"]]) == 1
    assert "denied: Ask first." in capsys.readouterr().out


def test_a_command_runs_once_it_is_approved(shell, meanwhile, capfd, tmp_path):
    code = (
        "import os; print('ran', bool(os.environ['PARAPH_GRANT']), os.environ.get('PARAPH_TOKEN'))"
    )
    meanwhile(shell.decide)
    assert main(["ask", "deploy", "--effect", "deploy:1", "--", sys.executable, "-c", code]) == 0
    assert "ran True None" in capfd.readouterr().out
    assert shell.status() == "succeeded"
    assert main(["ask", "deploy", "--effect", "deploy:1", "--", "true"]) == 4, "it has happened"

    meanwhile(shell.decide)
    assert main(["ask", "deploy", "--", "false"]) == 4
    assert shell.status() == "unknown"
    shell.decide("answer", content="failed")
    meanwhile(shell.decide, "reject", comment="No.")
    assert main(["ask", "deploy", "--", "touch", str(tmp_path / "made")]) == 1
    assert not (tmp_path / "made").exists()


def test_what_is_missing_is_named(capsys):
    assert main(["ask", "refund"]) == 2
    assert "PARAPH_URL" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["inbox", "--", "ls"])


def test_an_installation_is_verified(shell, capsys):
    assert main(["verify"]) == 0, capsys.readouterr().out
    printed = capsys.readouterr().out
    assert "15 held  0 FAILED  0 not applicable" in printed
    assert shell.pending() == []


def test_what_could_not_be_tried_is_no_pass(shell, installation, monkeypatch, capsys):
    monkeypatch.setenv("PARAPH_PERSON_TOKEN", installation.token)
    assert main(["verify"]) == 1
    printed = capsys.readouterr().out
    assert "not applicable  race" in printed
    assert "0 FAILED" in printed


def hook(call, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(call)))
    status = main(["hook", "run", "--timeout", "30"])
    printed = capsys.readouterr().out
    return status, json.loads(printed)["hookSpecificOutput"] if printed else {}


CALL = {
    "hook_event_name": "PreToolUse",
    "session_id": "s1",
    "tool_use_id": "u1",
    "tool_name": "Bash",
    "tool_input": {"command": "rm -r build"},
}


def test_a_coding_agent_asks_before_it_uses_a_tool(shell, meanwhile, monkeypatch, capsys):
    meanwhile(shell.amend, {"command": "rm -r build/tmp"})
    status, allowed = hook(CALL, monkeypatch, capsys)
    assert (status, allowed["permissionDecision"]) == (0, "allow")
    assert allowed["updatedInput"] == {"command": "rm -r build/tmp"}
    assert shell.status() == "executing"
    hook(CALL | {"hook_event_name": "PostToolUse"}, monkeypatch, capsys)
    assert shell.status() == "succeeded"

    meanwhile(shell.decide, "reject", comment="Leave it.")
    status, denied = hook(CALL | {"tool_use_id": "u2"}, monkeypatch, capsys)
    assert (status, denied["permissionDecision"]) == (0, "deny")
    assert "Leave it." in denied["permissionDecisionReason"]


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        (json.dumps(CALL), {}),
        (json.dumps(CALL), {"PARAPH_URL": "http://127.0.0.1:1", "PARAPH_TOKEN": "paraph_agent_1"}),
        ("no JSON", {}),
        ("", {}),
        (json.dumps({"hook_event_name": "PreToolUse"}), {}),
    ],
)
def test_whatever_goes_wrong_blocks(text, environment):
    process = python("-m", "paraph", "hook", "run", **environment)
    assert process.communicate(text, timeout=100)[0] == ""
    assert process.returncode == 2


def test_the_hook_is_installed_once_beside_others(tmp_path):
    path = tmp_path / ".claude" / "settings.json"
    path.parent.mkdir()
    other = {"matcher": "Bash", "hooks": [{"type": "command", "command": "true"}]}
    path.write_text(json.dumps({"model": "opus", "hooks": {"PreToolUse": [other]}}))
    for _ in range(2):
        assert main(["hook", "install", "--settings", str(path)]) == 0
    settings = json.loads(path.read_text())
    own = settings["hooks"]["PreToolUse"][1]["hooks"][0]
    assert (settings["model"], len(settings["hooks"]["PreToolUse"])) == ("opus", 2)
    assert settings["hooks"]["PreToolUse"][0] == other
    assert own["onFailure"] == "block"
    assert own["command"].endswith("|| exit 2")


def test_the_server_itself_is_asked_by_an_http_hook(tmp_path, monkeypatch):
    path = tmp_path / "settings.json"
    monkeypatch.setenv("PARAPH_URL", "https://paraph.example/")
    assert main(["hook", "install", "--settings", str(path)]) == 0
    assert main(["hook", "install", "--http", "--settings", str(path)]) == 0
    hooks = json.loads(path.read_text())["hooks"]
    assert {event: len(entries) for event, entries in hooks.items()} == {
        "PreToolUse": 1,
        "PostToolUse": 1,
        "PostToolUseFailure": 1,
    }
    own = hooks["PreToolUse"][0]["hooks"][0]
    assert own["url"] == "https://paraph.example/hooks/claude-code/?wait=50"
    assert (own["type"], own["onFailure"], own["timeout"]) == ("http", "block", 60)
    assert own["headers"] == {"Authorization": "Bearer $PARAPH_TOKEN"}
    assert own["allowedEnvVars"] == ["PARAPH_TOKEN"]


def test_invisible_letters_are_shown():
    assert escaped("a\u202eb\u200bc\x1b[1mü\U000e0041") == (
        "a‹U+202E›b‹U+200B›c‹U+001B›[1mü‹U+E0041›"
    )


def test_the_demo_shows_the_whole(capsys):
    assert main(["demo", "--yes", "--server", str(Path(__file__).resolve().parents[2])]) == 0
    printed = capsys.readouterr().out
    assert printed.count("… refunding") == 1
    assert "has happened already" in printed
    assert "is valid: True" in printed
