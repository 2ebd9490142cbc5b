"""For people: log in, see what waits, decide on it."""

import argparse
import getpass
import json
import sys
from typing import Any

from paraph.client import Client
from paraph.command.exits import YES
from paraph.command.text import as_json, escaped, line, parse_json, read_text
from paraph.connection import AGENT_PREFIX, Connection, save_settings, saved_settings
from paraph.errors import ApiError, ParaphError

Parsers = Any
INBOX_WIDTH = 100


def add_commands(commands: Parsers) -> None:
    login = commands.add_parser("login", help="remember an address and a token")
    login.add_argument("url", help="of the server, as https://paraph.example")
    login.add_argument("--username")
    login.add_argument(
        "--token-stdin",
        action="store_true",
        help="read a token from standard input: a person's, or the credential of an agent",
    )
    login.add_argument("--project", help="in which an agent asks")
    login.add_argument("--agent", help="its name")
    login.set_defaults(run=log_in)

    inbox = commands.add_parser("inbox", help="what waits for your decision")
    inbox.add_argument("--project")
    inbox.add_argument("--json", action="store_true")
    inbox.set_defaults(run=show_inbox)

    decide = commands.add_parser("decide", help="show a request, and decide on it")
    decide.add_argument("request", help="its id, or how it begins")
    decide.add_argument(
        "decision",
        nargs="?",
        choices=["approve", "amend", "reject", "answer", "request_changes"],
        help="without it, the request is only shown",
    )
    decide.add_argument("--comment", default="", help="needed to reject")
    decide.add_argument("--content", help="JSON, or @FILE: changed arguments, or an answer")
    decide.add_argument("--digest", help="of what you were shown; without it you are asked")
    decide.set_defaults(run=decide_request)


def log_in(options: argparse.Namespace) -> int:
    values = saved_settings() | {"url": options.url.rstrip("/")}
    if options.token_stdin:
        token = sys.stdin.read().strip()
        if not token:
            raise ParaphError("There is no token on standard input.")
    else:
        token = _new_token(options)
    values["token" if token.startswith(AGENT_PREFIX) else "person_token"] = token
    values |= {n: v for n in ("project", "agent") if (v := getattr(options, n))}
    path = save_settings(values)
    print(f"Remembered in {path}, which only you can read.")
    return YES


def _new_token(options: argparse.Namespace) -> str:
    username = options.username or input("Username: ")
    password = getpass.getpass(f"Password of {username}: ")
    with Client(connection=Connection(options.url.rstrip("/"), "", patience=5)) as client:
        body = {"username": username, "password": password}
        try:
            return str(client.send("POST", "auth/token/", body).json()["token"])
        except ApiError as error:
            if error.code == "second_factor_required":
                raise ParaphError(
                    "Your account has a second factor: make a token on its page, and hand it in "
                    "with --token-stdin."
                ) from error
            raise


def show_inbox(options: argparse.Namespace) -> int:
    params = {"status": "pending", "page_size": 100}
    params |= {"project": options.project} if options.project else {}
    calls: dict[str, Any] = {}
    with Client(connection=Connection.load_person()) as client:
        page = client.send("GET", "hitl/requests/", params=params).json()
        if any(request["agent_action"] for request in page["results"]):
            # Calls of one batch have the same title.
            actions = client.send("GET", "actions/", params=params).json()["results"]
            calls = {action["id"]: action["arguments"] for action in actions}
    if options.json:
        print(json.dumps(page["results"], indent=2))
        return YES
    for request in page["results"]:
        expires = request.get("expires_at") or ""
        until = f"  until {expires[:16]}" if expires else ""
        print(f"{request['id']}  {request['kind']:16} {line(request['title'])}{until}")
        if (arguments := calls.get(request["agent_action"])) is not None:
            text = line(json.dumps(arguments, ensure_ascii=False))
            cut = "" if len(text) <= INBOX_WIDTH else "… (more: paraph decide shows all)"
            print(f"    {text[:INBOX_WIDTH]}{cut}")
    if not page["results"]:
        print("Nothing waits for a decision.")
    elif page.get("next"):
        print("There are more: name a --project.")
    return YES


def decide_request(options: argparse.Namespace) -> int:
    with Client(connection=Connection.load_person()) as client:
        request = client.send("GET", f"hitl/requests/{_full_id(client, options.request)}/").json()
        if options.digest is None or options.decision is None:
            show(client, request)
        if options.decision is None:
            return YES
        if options.digest is None:
            if not sys.stdin.isatty():
                raise ParaphError("Pass --digest: what you were shown is what you decide on.")
            if input(f"\n{options.decision}? Write yes: ").strip() != "yes":
                print("Nothing was decided.")
                return YES
        body = {"action": options.decision, "comment": options.comment}
        body["subject_digest"] = options.digest or request["subject_digest"]
        if options.content is not None:
            body["content"] = _content(options.content)
        answer = client.send("POST", f"hitl/requests/{request['id']}/decisions/", body).json()
    print(f"The request is {answer['request']['status']}.")
    return YES


def _content(text: str) -> Any:
    """JSON; what is none is the text itself."""
    if text.startswith("@"):
        return parse_json(read_text(text[1:]), text[1:])
    try:
        return json.loads(text)
    except ValueError:
        return text


def _full_id(client: Client, start: str) -> str:
    if len(start) >= 32:
        return start
    params = {"status": "pending", "page_size": 100}
    waiting = client.send("GET", "hitl/requests/", params=params).json()["results"]
    ids = [request["id"] for request in waiting if request["id"].startswith(start)]
    if len(ids) != 1:
        raise ParaphError(f"{len(ids)} waiting requests begin with {start!r}; write more of it.")
    return str(ids[0])


def show(client: Client, request: dict[str, Any]) -> None:
    """The literal call first, whole; what the agent says about it comes after it, as its claim."""
    print(f"{line(request['title'])}\n")
    if action_id := request.get("agent_action"):
        action = client.send("GET", f"actions/{action_id}/").json()
        tool = action["tool"]
        name = "/".join(part for part in (tool.get("server", ""), tool["name"]) if part)
        print(f"tool       {line(name)}")
        print(f"agent      {line(action['agent']['name'])}")
        if action["subject"]:
            print(f"acts for   {line(action['subject']['type'])} {line(action['subject']['id'])}")
        if action["effect"]:
            print(f"effect     {line(action['effect'])}")
        hints = action["hints"] or {}
        if hints.get("destructiveHint"):
            print("           It may delete or overwrite.")
        if not hints:
            print("           The agent does not say whether it may destroy anything.")
        print(f"arguments  {as_json(action['arguments'])}")
        if action["why"]:
            # Its own lines must not look like ours.
            claims = escaped(action["why"]).replace("\n", "\n  > ")
            print(f"\nThe agent claims:\n  > {claims}")
    else:
        print(as_json(request.get("content")))
    print(f"\nstatus     {request['status']}")
    print(f"may        {', '.join(request['allowed_actions'])}")
    verdict = request["can_decide"]
    if not verdict["allowed"]:
        print(f"not you    {line(verdict['detail'])}")
    print(f"digest     {request['subject_digest']}")
