"""Hooks of coding agents: Claude Code asks people before it uses a tool, and fails closed."""

import argparse
import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from paraph.actions import ClaimState, State
from paraph.client import Action, Claim, Client
from paraph.command.exits import ERROR, YES
from paraph.connection import saved_settings
from paraph.errors import ParaphError, StillPending

Parsers = Any
#: Of a hook that blocks; any other that is not 0 would let the call through.
BLOCK = 2
HOOK_SECONDS = 24 * 3600
# Proxies rarely let a request take longer; the next try goes on waiting.
HTTP_SECONDS, HTTP_PATH = 60, "/hooks/claude-code/"
USUAL_TOOLS = "Bash|Write|Edit|MultiEdit|NotebookEdit|WebFetch|mcp__.*"


def add_commands(commands: Parsers) -> None:
    hook = commands.add_parser("hook", help="ask before a coding agent uses a tool")
    actions = hook.add_subparsers(metavar="ACTION", required=True)
    install = actions.add_parser(
        "install",
        help="into the settings of Claude Code",
        description="Claude Code then asks here before each use of a tool that --matcher names. "
        "Where the answer is no, or there is none, it is blocked: needs 2.1.295 or newer, which "
        "blocks too when the hook cannot be started or takes too long.",
    )
    install.add_argument(
        "--settings", type=Path, default=Path(".claude/settings.json"), help="default: %(default)s"
    )
    install.add_argument("--matcher", default=USUAL_TOOLS, help="default: %(default)s")
    install.add_argument(
        "--timeout",
        type=int,
        help=f"to wait, in seconds (default: {HOOK_SECONDS}, with --http {HTTP_SECONDS})",
    )
    install.add_argument(
        "--http", action="store_true", help="ask the server at once, with no program in between"
    )
    install.set_defaults(run=install_hook)
    run = actions.add_parser("run", help="as Claude Code calls it")
    run.add_argument("--timeout", type=float, default=HOOK_SECONDS - 60)
    run.set_defaults(run=run_hook)


def install_hook(options: argparse.Namespace) -> int:
    path: Path = options.settings
    try:
        settings = json.loads(path.read_text())
    except FileNotFoundError:
        settings = {}
    except ValueError as error:
        raise ParaphError(f"{path} is no JSON: {error}") from error
    before, after = (_http_entries if options.http else _command_entries)(options.timeout)
    hooks = settings.setdefault("hooks", {})
    for event, entry in (("PreToolUse", before), ("PostToolUse", after)):
        others = [entry for entry in hooks.get(event, []) if not _is_ours(entry)]
        hooks[event] = [*others, {"matcher": options.matcher, "hooks": [entry]}]
    hooks.setdefault("PostToolUseFailure", [])
    others = [entry for entry in hooks["PostToolUseFailure"] if not _is_ours(entry)]
    hooks["PostToolUseFailure"] = [*others, {"matcher": options.matcher, "hooks": [after]}]
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(settings, indent=2) + "\n")
    unfinished.replace(path)
    print(f"{path}: Claude Code asks before {options.matcher}.")
    if options.http:
        print("It needs PARAPH_TOKEN in the environment of Claude Code.")
    else:
        names = "PARAPH_URL, PARAPH_TOKEN, PARAPH_PROJECT and PARAPH_AGENT"
        print(f"It needs {names}, or `paraph login`.")
    return YES


def _command_entries(timeout: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    timeout = timeout or HOOK_SECONDS
    program = f"{shlex.quote(sys.executable)} -m paraph hook run"
    before = {
        "type": "command",
        # A program that is not there would let the call through: this does not.
        "command": f"{program} --timeout {max(1, timeout - 60)} || exit {BLOCK}",
        "timeout": timeout,
        "onFailure": "block",
    }
    return before, {"type": "command", "command": program, "timeout": 60}


def _http_entries(timeout: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    url = os.environ.get("PARAPH_URL") or saved_settings().get("url")
    if not url:
        raise ParaphError("There is no url: set PARAPH_URL, or run `paraph login`.")
    timeout = timeout or HTTP_SECONDS
    entry = {
        "type": "http",
        "url": f"{url.rstrip('/')}{HTTP_PATH}?wait={max(1, timeout - 10)}",
        "headers": {"Authorization": "Bearer $PARAPH_TOKEN"},
        "allowedEnvVars": ["PARAPH_TOKEN"],
        "timeout": timeout,
    }
    # No server, no credential, no answer in time: none of them is a yes.
    return entry | {"onFailure": "block"}, entry


def _is_ours(entry: dict[str, Any]) -> bool:
    return any(
        "-m paraph hook run" in hook.get("command", "") or HTTP_PATH in hook.get("url", "")
        for hook in entry.get("hooks", [])
    )


def run_hook(options: argparse.Namespace) -> int:
    """Whatever goes wrong before the use of a tool blocks it."""
    event = ""
    try:
        call = json.loads(sys.stdin.read())
        event = call["hook_event_name"]
        if event == "PreToolUse":
            print(json.dumps({"hookSpecificOutput": _before(call, options.timeout)}))
        else:
            _after(call, has_failed=event != "PostToolUse")
    except BaseException as error:
        print(f"paraph: {type(error).__name__}: {error}", file=sys.stderr)
        if isinstance(error, KeyboardInterrupt):
            return BLOCK
        return BLOCK if event in ("PreToolUse", "") else ERROR
    return YES


def _before(call: dict[str, Any], timeout: float) -> dict[str, Any]:
    arguments = call["tool_input"]
    session, use = str(call.get("session_id", "")), str(call.get("tool_use_id", ""))
    options: Any = {"run": session[:200], "call": use[:200], "framework": "claude-code"}
    if use:
        options["key"] = f"claude-code-{session}-{use}"[:255]
    with Client() as client:
        options["agent"] = client.connection.agent or "claude-code"
        action: Action[Any] = client.ask(
            call["tool_name"], arguments, server="claude-code", **options
        )
        try:
            action.wait(timeout)
        except StillPending:
            return _denied(f"Nobody has decided yet; look at {action.review_url}, and try again.")
        if not action.is_approved:
            return _denied(str(action.refusal))
        claim = action.claim()
        if use:
            _remember(use, {"action": action.id, "fence": claim.fence})
    answer: dict[str, Any] = {
        "hookEventName": "PreToolUse",
        "permissionDecision": "allow",
        "permissionDecisionReason": f"Approved in Paraph: {action.id}",
    }
    if claim.arguments != arguments:
        answer["updatedInput"] = claim.arguments
    return answer


def _denied(reason: str) -> dict[str, Any]:
    return {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": reason,
    }


def _after(call: dict[str, Any], *, has_failed: bool) -> None:
    """How it ended: of a tool that failed nobody knows how far it came."""
    path = _memory(str(call.get("tool_use_id", "")))
    if not path.exists():
        return
    known = json.loads(path.read_text())
    with Client() as client:
        state = State({"id": known["action"], "status": "executing", "action_digest": ""})
        claim = Claim(client, ClaimState(state, known["fence"], {}, None, ""))
        if has_failed:
            claim.report("unknown", error=str(call.get("error", ""))[:2000])
        else:
            claim.report("succeeded")
    path.unlink(missing_ok=True)


def _memory(use: str) -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "paraph" / "hook" / f"{re.sub(r'[^A-Za-z0-9_-]', '_', use)[:200]}.json"


def _remember(use: str, facts: dict[str, Any]) -> None:
    path = _memory(use)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))
