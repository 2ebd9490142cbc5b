"""For agents, scripts and CI: ask, wait, and run a command that was approved."""

import argparse
import json
import os
import subprocess
import sys
from typing import Any

from paraph.actions import AskOptions
from paraph.client import Action, Claim, Client
from paraph.command.exits import UNKNOWN, YES, exit_of_status
from paraph.command.text import line, parse_json, parse_pairs, read_text
from paraph.errors import ApiError, NotExecuted, ParaphError
from paraph.flow import Invoke

Parsers = Any


def add_commands(commands: Parsers) -> None:
    ask = commands.add_parser(
        "ask",
        help="ask people about a call; with a command after --, run it once it is approved",
        description="paraph ask deploy env=prod --effect deploy:v12 --wait\n"
        "paraph ask deploy env=prod --effect deploy:v12 -- ./deploy.sh prod",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ask.add_argument("tool")
    ask.add_argument("pairs", nargs="*", metavar="NAME=TEXT or NAME:=JSON")
    ask.add_argument("--arguments", help="JSON, @FILE or @- for standard input")
    ask.add_argument("--server", default="", help="that has the tool")
    for name in ("effect", "why", "key", "agent"):
        ask.add_argument(f"--{name}", default="")
    ask.add_argument("--destructive", action="store_true")
    ask.add_argument("--wait", action="store_true", help="until it is decided")
    ask.add_argument("--timeout", type=float, help="seconds to wait at most")
    ask.add_argument("--json", action="store_true", help="print the action")
    ask.set_defaults(run=ask_for, takes_command=True)

    wait = commands.add_parser("wait", help="wait for the decision on an action")
    wait.add_argument("action")
    wait.add_argument("--timeout", type=float)
    wait.add_argument("--json", action="store_true")
    wait.set_defaults(run=wait_for)


def ask_for(options: argparse.Namespace) -> int:
    arguments = parse_pairs(options.pairs)
    if options.arguments:
        text = options.arguments
        text = read_text(text[1:]) if text.startswith("@") else text
        given = parse_json(text, "--arguments")
        if not isinstance(given, dict):
            raise ParaphError("--arguments is no JSON object.")
        arguments |= given
    if options.command:
        arguments["command"] = options.command
    names = ("server", "effect", "why", "key", "agent")
    asked: Any = {name: value for name in names if (value := getattr(options, name))}
    if options.destructive:
        asked["hints"] = {"destructiveHint": True}
    with Client() as client:
        action = _ask(client, options.tool, arguments, asked)
        if not options.json:
            print(f"{action.id} {action.status} {action.review_url}", file=sys.stderr)
        if options.wait or options.command:
            action.wait(options.timeout)
        if not options.command:
            return _show(action, options.json)
        if not action.is_approved:
            _show(action, options.json)
            return exit_of_status(action.status)
        return _run(client, action)


def _ask(client: Client, tool: str, arguments: dict[str, Any], options: AskOptions) -> Action[Any]:
    return client.ask(tool, arguments, **options)


def wait_for(options: argparse.Namespace) -> int:
    with Client() as client:
        action = client.action(options.action).wait(options.timeout)
        return _show(action, options.json)


def _show(action: Action[Any], is_json: bool) -> int:
    if is_json:
        print(json.dumps(action.data, indent=2))
    else:
        comment = f": {line(action.comment)}" if action.comment else ""
        print(f"{action.status}{comment}")
    return exit_of_status(action.status)


def _run(client: Client, action: Action[Any]) -> int:
    """The command that was approved, which a person may have changed, with the grant in
    PARAPH_GRANT; its exit status."""
    try:
        claim = action.claim()
    except ApiError as error:
        if error.next_action in ("none", "request") and error.code != "already_claimed":
            raise NotExecuted(str(error), reason=error.code) from error
        raise
    command = claim.arguments.get("command")
    is_command = isinstance(command, list) and command and all(isinstance(w, str) for w in command)
    if not is_command:
        claim.report("not_executed", error="the changed arguments name no command")
        raise NotExecuted("The changed arguments name no command: nothing was run.")
    assert isinstance(command, list)  # noqa: S101
    environment = os.environ | {"PARAPH_ACTION": action.id, "PARAPH_GRANT": claim.grant or ""}
    environment.pop("PARAPH_TOKEN", None)
    try:
        code = _run_with_heartbeat(client, claim, command, environment)
    except OSError as error:
        claim.report("not_executed", error=f"it could not be started: {error}")
        raise NotExecuted(f"{command[0]} could not be started: {error}") from error
    if code == 0:
        claim.report("succeeded", result={"exit_status": 0})
        return YES
    # How far a command came that failed is not known here.
    claim.report("unknown", error=f"the command ended with exit status {code}")
    print("paraph: the command failed; a person is asked how far it came.", file=sys.stderr)
    return code if code > UNKNOWN else UNKNOWN


def _run_with_heartbeat(
    client: Client, claim: Claim, command: list[str], environment: dict[str, str]
) -> int:
    state = claim.state
    beat = client.operations.renew

    def flow() -> Any:
        step = Invoke(
            lambda: subprocess.run(command, env=environment, check=False).returncode,
            lambda: beat(state),
            state.every,
        )
        return (yield step)

    return int(client.run(flow()))
