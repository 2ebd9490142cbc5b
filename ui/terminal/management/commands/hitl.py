from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import DomainError
from core.text import clean
from hitl.actions import get_action
from hitl.enums import Action
from hitl.models import HitlRequest
from projects.models import Project
from ui.terminal.amendment import content_from, own_content
from ui.terminal.assignment import HANDS, hand, show_or_change_policy
from ui.terminal.console import Terminal
from ui.terminal.decisions import Choice, approvals_missing, send
from ui.terminal.editor import EditingError, read_text
from ui.terminal.lookup import find_request
from ui.terminal.people import acting_user, add_user_option
from ui.terminal.request_list import list_requests, visible_project, write_request
from ui.terminal.request_view import show_request

ACTIONS = {
    "approve": (Action.APPROVE, "go on with exactly what was shown"),
    "reject": (Action.REJECT, "stop the project; --comment says why"),
    "amend": (Action.AMEND, "go on with your own content"),
    "request-changes": (Action.REQUEST_CHANGES, "have the step done again; --comment says how"),
    "answer": (Action.ANSWER, "reply to the agent's questions"),
}


class Command(BaseCommand):
    help = "Lists and shows requests for a person, and decides on them. Exit status 1: it did not."
    # The checks load every URL and admin page, which takes longer than the command.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        listing = commands.add_parser("list", help="what waits for a decision")
        listing.add_argument("--project", metavar="ID", help="of one project only")
        listing.add_argument("--all", action="store_true", help="also what is settled")
        listing.add_argument("--json", action="store_true", help="one JSON object a line")
        showing = commands.add_parser("show", help="what is to be decided, and its digest")
        showing.add_argument("id", help="the request's id, or the beginning of it")
        showing.add_argument("--json", action="store_true", help="as one JSON object")
        add_user_option(listing)
        add_user_option(showing)
        for name, (_, text) in ACTIONS.items():
            _add_decision(commands.add_parser(name, help=text), name)
        for name, text in HANDS.items():
            _add_hand(commands.add_parser(name, help=text), name)
        _add_policy(commands.add_parser("policy", help="how a project decides"))

    def handle(self, *, command: str, user: str | None, **options: Any) -> None:
        self.stdout.ending = ""
        terminal = Terminal(self.stdout, no_color=options["no_color"])
        person = acting_user(user)
        if command == "list":
            wanted = {"project": options["project"], "is_all": options["all"]}
            list_requests(terminal, person, as_json=options["json"], **wanted)
            return
        if command == "policy":
            project = Project.objects.get(pk=visible_project(person, options["project"]))
            _or_complain(show_or_change_policy, terminal, project, person, options["set"])
            return
        request = find_request(person, options["id"])
        if command == "show":
            _show(terminal, request, person, as_json=options["json"])
        elif command in HANDS:
            _or_complain(hand, terminal, request, person, command, options)
        else:
            _or_complain(_decide, terminal, request, person, ACTIONS[command][0], options)


def _add_decision(parser: CommandParser, name: str) -> None:
    parser.add_argument("id", help="the request's id, or the beginning of it")
    parser.add_argument("--digest", help="the subject_digest of what you were shown")
    parser.add_argument("--yes", action="store_true", help="do not ask again (needs --digest)")
    parser.add_argument("--comment", default="", help="recorded with the decision")
    parser.add_argument(
        "--break-glass", action="store_true", help="past the rules; --comment says why"
    )
    if name == "amend":
        parser.add_argument("--content-file", type=Path, help="JSON or YAML; without: your editor")
    if name == "answer":
        parser.add_argument("--text", default="", help="the answer")
        parser.add_argument("--text-file", type=Path, help="the answer, from a file")
    add_user_option(parser)


def _add_hand(parser: CommandParser, name: str) -> None:
    parser.add_argument("id", help="the request's id, or the beginning of it")
    if name == "reassign":
        parser.add_argument("--to", metavar="NAME", required=True, help="a member who may decide")
    if name == "comment":
        parser.add_argument("--text", required=True)
    add_user_option(parser)


def _add_policy(parser: CommandParser) -> None:
    parser.add_argument("project", metavar="PROJECT", help="its id")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="the value as JSON"
    )
    add_user_option(parser)


def _show(terminal: Terminal, request: HitlRequest, user: Any, *, as_json: bool) -> None:
    if as_json:
        write_request(terminal, request, user)
    else:
        show_request(terminal, request, user, in_full=True)


def _or_complain(do: Callable[..., None], *arguments: Any) -> None:
    try:
        do(*arguments)
    except (EOFError, KeyboardInterrupt) as error:
        raise CommandError("Nothing was decided.", returncode=130) from error
    except DomainError as error:
        raise CommandError(clean(f"{error.code}: {error.detail}")) from error
    except EditingError as error:
        raise CommandError(clean(str(error))) from error


def _decide(
    terminal: Terminal, request: HitlRequest, user: Any, action: Action, options: dict[str, Any]
) -> None:
    digest = options["digest"]
    if digest is None:
        _show_first(terminal, request, user, is_sure=options["yes"])
    choice = _choice(terminal, request, action, options)
    if terminal.can_ask and not options["yes"] and not terminal.ask_yes(f"{action.label}?"):
        raise CommandError("Nothing was decided.")
    decision = send(request, user, choice, digest, break_glass=options["break_glass"])
    terminal.say(f"{request.pk}: {decision.request.status}")
    if decision.request.is_pending:
        terminal.say(approvals_missing(decision.request))


def _show_first(terminal: Terminal, request: HitlRequest, user: Any, *, is_sure: bool) -> None:
    """Nobody decides on what they were not shown."""
    how = f"`hitl show {request.pk}` prints it"
    if is_sure:
        raise CommandError(f"--yes needs --digest, the digest of what you were shown; {how}.")
    if not terminal.can_ask:
        raise CommandError(f"Without a terminal, --digest must say what you were shown; {how}.")
    show_request(terminal, request, user, in_full=True)


def _choice(
    terminal: Terminal, request: HitlRequest, action: Action, options: dict[str, Any]
) -> Choice:
    comment, content = options["comment"], None
    if get_action(action).needs_comment and not comment.strip() and terminal.can_ask:
        comment = terminal.ask_text("Why?")
    if get_action(action).needs_comment and not comment.strip():
        raise CommandError("comment_required: say why with --comment TEXT.")
    if action == Action.AMEND:
        content = _content(terminal, request, options["content_file"])
    if action == Action.ANSWER:
        content = _answer(terminal, options)
    return Choice(action, comment, content)


def _content(terminal: Terminal, request: HitlRequest, path: Path | None) -> Any:
    if path is not None:
        return content_from(path, request)
    if not terminal.can_ask:
        raise CommandError("content_required: give your content with --content-file FILE.")
    content = own_content(terminal, request)
    if content is None:
        raise CommandError("Nothing was decided.")
    return content


def _answer(terminal: Terminal, options: dict[str, Any]) -> str:
    answer = read_text(options["text_file"]) if options["text_file"] else options["text"]
    if not answer.strip() and terminal.can_ask:
        answer = terminal.ask_text("Your answer")
    if not answer.strip():
        raise CommandError("content_required: answer with --text TEXT or --text-file FILE.")
    return answer
