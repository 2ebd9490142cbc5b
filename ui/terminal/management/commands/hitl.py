from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import DomainError
from core.text import visible
from hitl.actions import Action, get_action, registered_actions
from hitl.models import HitlRequest
from hitl.presenter import present_request
from ui.terminal.console import Terminal
from ui.terminal.decisions import (
    ASSIGNMENTS,
    Choice,
    answer_from,
    approvals_missing,
    change_assignment,
    send_decision,
    show_or_change_policy,
)
from ui.terminal.editor import EditingError, ask_content, content_from, read_text
from ui.terminal.lookup import acting_user, add_user_option, find_request, visible_project
from ui.terminal.requests import list_requests, show_request, write_request

NOTHING_DECIDED = "Nothing was decided."


class Command(BaseCommand):
    help = "Lists and shows requests to people, and decides on them. Exit status 1: it failed."
    # The checks load every URL and admin page, which takes longer than the command.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        listing = commands.add_parser("list", help="the requests that wait for a decision")
        listing.add_argument("--project", metavar="ID", help="of one project only")
        listing.add_argument("--all", action="store_true", help="also the closed ones")
        listing.add_argument("--json", action="store_true", help="one JSON object a line")
        showing = commands.add_parser("show", help="what is to be decided, and its digest")
        showing.add_argument("id", help="the request's id, or the beginning of it")
        showing.add_argument("--json", action="store_true", help="as one JSON object")
        policy = commands.add_parser("policy", help="how a project decides")
        policy.add_argument("project", metavar="PROJECT", help="its id")
        policy.add_argument(
            "--set", action="append", default=[], metavar="NAME=VALUE", help="the value as JSON"
        )
        for subparser in (listing, showing, policy):
            add_user_option(subparser)
        for action in registered_actions():
            name = action.key.replace("_", "-")
            _add_decision(commands.add_parser(name, help=action.summary), action)
        for verb, text in ASSIGNMENTS.items():
            subparser = commands.add_parser(verb, help=text)
            subparser.add_argument("id", help="the request's id, or the beginning of it")
            if verb == "reassign":
                subparser.add_argument(
                    "--to", metavar="NAME", required=True, help="a member who may decide"
                )
            if verb == "comment":
                subparser.add_argument("--text", required=True)
            add_user_option(subparser)

    def handle(self, *, command: str, user: str | None, **options: Any) -> None:
        self.stdout.ending = ""
        terminal = Terminal(self.stdout, no_color=options["no_color"])
        person = acting_user(user)
        if command == "list":
            list_requests(
                terminal,
                person,
                project=options["project"],
                include_settled=options["all"],
                as_json=options["json"],
            )
            return
        if command == "policy":
            project = visible_project(person, options["project"])
            _report_errors(show_or_change_policy, terminal, project, person, options["set"])
            return
        request = find_request(person, options["id"])
        if command == "show" and options["json"]:
            write_request(terminal, request, person)
        elif command == "show":
            show_request(terminal, request, person, in_full=True)
        elif command in ASSIGNMENTS:
            _report_errors(change_assignment, terminal, request, person, command, options)
        else:
            action = get_action(command.replace("-", "_"))
            _report_errors(_decide, terminal, request, person, action, options)


def _add_decision(parser: CommandParser, action: Action) -> None:
    parser.add_argument("id", help="the request's id, or the beginning of it")
    parser.add_argument("--digest", help="the subject_digest of what you were shown")
    parser.add_argument("--yes", action="store_true", help="do not ask again (needs --digest)")
    parser.add_argument("--comment", default="", help="recorded with the decision")
    parser.add_argument(
        "--break-glass", action="store_true", help="override the rules; --comment says why"
    )
    if action.key == "answer":
        parser.add_argument("--text", default="", help="the answer; JSON or YAML by a schema")
        parser.add_argument("--text-file", type=Path, help="the answer, from a file")
    elif action.needs_content:
        parser.add_argument(
            "--content-file", type=Path, help="JSON or YAML; default: opens your editor"
        )
    add_user_option(parser)


def _report_errors(do: Callable[..., None], *arguments: Any) -> None:
    try:
        do(*arguments)
    except (EOFError, KeyboardInterrupt) as error:
        raise CommandError(NOTHING_DECIDED, returncode=130) from error
    except DomainError as error:
        raise CommandError(visible(f"{error.code}: {error.detail}")) from error
    except EditingError as error:
        raise CommandError(visible(str(error))) from error


def _decide(
    terminal: Terminal, request: HitlRequest, user: Any, action: Action, options: dict[str, Any]
) -> None:
    digest = options["digest"]
    if digest is None:
        # Nobody decides on what they were not shown.
        hint = f"`hitl show {request.pk}` prints it"
        if options["yes"]:
            raise CommandError(f"--yes needs --digest, the digest of what you were shown; {hint}.")
        if not terminal.can_ask:
            raise CommandError(f"Without a terminal, --digest must say what you saw; {hint}.")
        show_request(terminal, request, user, in_full=True)

    comment, content = options["comment"], None
    if action.needs_comment and not comment.strip() and terminal.can_ask:
        comment = terminal.ask_text(action.comment_question)
    if action.needs_comment and not comment.strip():
        raise CommandError("comment_required: say why with --comment TEXT.")
    if action.key == "answer":
        content = answer_from(_answer(terminal, options), request)
    elif action.needs_content:
        content = _content(terminal, request, user, options["content_file"])
    if terminal.can_ask and not options["yes"] and not terminal.ask_yes(f"{action.label}?"):
        raise CommandError(NOTHING_DECIDED)

    choice = Choice(action.key, comment, content)
    decision = send_decision(request, user, choice, digest, break_glass=options["break_glass"])
    terminal.say(f"{request.pk}: {decision.request.status}")
    if decision.request.is_pending:
        terminal.say(approvals_missing(decision.request))


def _content(terminal: Terminal, request: HitlRequest, user: Any, path: Path | None) -> Any:
    if path is not None:
        return content_from(path, request)
    if not terminal.can_ask:
        raise CommandError("content_required: give your content with --content-file FILE.")
    content = ask_content(terminal, present_request(request, user))
    if content is None:
        raise CommandError(NOTHING_DECIDED)
    return content


def _answer(terminal: Terminal, options: dict[str, Any]) -> str:
    answer = read_text(options["text_file"]) if options["text_file"] else options["text"]
    if not answer.strip() and terminal.can_ask:
        answer = terminal.ask_text("Your answer")
    if not answer.strip():
        raise CommandError("content_required: answer with --text TEXT or --text-file FILE.")
    return answer
