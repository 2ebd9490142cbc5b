import sys
from argparse import ArgumentTypeError, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.providers import demo_hint
from audit.actors import Actor
from audit.request_context import origin
from core.errors import DomainError
from core.text import one_line, visible
from projects.access import get_visible_project
from projects.enums import OversightLevel, ProjectStatus
from projects.models import Project
from projects.services import create_project, resume_project, start_project
from ui.terminal.console import Terminal
from ui.terminal.files import check_folder, name_from, read_brief, write_export
from ui.terminal.lookup import acting_user, add_user_option
from ui.terminal.project_state import head_of
from ui.terminal.session import MEANING, ExitStatus, Session, show_ending

EXPORTED = frozenset({ExitStatus.COMPLETED, ExitStatus.FAILED, ExitStatus.CANCELLED})


class Command(BaseCommand):
    help = "Creates a project from a brief, follows it, and asks here when a person is needed."
    # The checks load every URL and admin page, which takes longer than the command.
    requires_system_checks = []

    def create_parser(self, *args: Any, **options: Any) -> CommandParser:
        parser = super().create_parser(*args, **options)
        parser.formatter_class = RawDescriptionHelpFormatter
        parser.epilog = MEANING
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "brief", nargs="?", type=Path, help="text file that describes what to build"
        )
        parser.add_argument(
            "--resume",
            metavar="PROJECT_ID",
            help="continue this project; a draft is started, a paused one resumed",
        )
        parser.add_argument("--name", help="default: the first heading of the brief")
        parser.add_argument("--oversight", choices=OversightLevel.values, help="default: high")
        parser.add_argument("--workflow", help="default: sdlc")
        parser.add_argument(
            "--approve-all", action="store_true", help="approve every plan and result; never ask"
        )
        parser.add_argument(
            "--output", type=Path, metavar="DIR", help="write the export to this new folder"
        )
        parser.add_argument(
            "--timeout", type=_seconds, metavar="SECONDS", help="stop following after this long"
        )
        add_user_option(parser)

    def handle(self, *, user: str | None, output: Path | None, **options: Any) -> None:
        self.stdout.ending = ""
        terminal = Terminal(self.stdout, no_color=options["no_color"])
        person = acting_user(user)
        check_folder(output)
        with origin(channel="cli"):
            project, after = _project(person, options)
        terminal.say(f"Project {project.pk}: {project.name}", "bold")
        if hint := demo_hint():
            terminal.say(hint, "yellow")
        session = Session(
            project_id=project.pk,
            user=person,
            terminal=terminal,
            approves_all=options["approve_all"],
            timeout=options["timeout"],
            after=after,
        )
        try:
            status = session.follow()
        except (KeyboardInterrupt, EOFError):
            status = ExitStatus.INTERRUPTED
        show_ending(terminal, project.pk, status)
        if output and status in EXPORTED:
            write_export(terminal, project.pk, output)
        if status:
            sys.exit(status)


def _project(user: Any, options: dict[str, Any]) -> tuple[Project, int]:
    """The project, and the sequence of its last event that is history."""
    if bool(options["brief"]) == bool(options["resume"]):
        raise CommandError(
            "Give either a file with the brief or --resume PROJECT_ID.", returncode=2
        )
    try:
        if options["resume"]:
            return _resume(user, options)
        return _create(user, options), 0
    except DomainError as error:
        raise CommandError(visible(error.detail)) from error


def _create(user: Any, options: dict[str, Any]) -> Project:
    brief = read_brief(options["brief"])
    return create_project(
        actor=Actor.of_user(user),
        name=options["name"] or name_from(brief, options["brief"]),
        brief=brief,
        workflow=options["workflow"] or "sdlc",
        oversight_level=options["oversight"] or OversightLevel.HIGH,
    )


def _resume(user: Any, options: dict[str, Any]) -> tuple[Project, int]:
    if extra := [name for name in ("name", "oversight", "workflow") if options[name]]:
        raise CommandError(f"--{extra[0]} is for a new project, not for --resume.", returncode=2)
    try:
        project = get_visible_project(user, UUID(options["resume"]))
    except ValueError as error:
        raise CommandError(f"{one_line(options['resume'])!r} is not a project's id.") from error
    after = head_of(project.pk)
    verbs = {ProjectStatus.DRAFT: start_project, ProjectStatus.PAUSED: resume_project}
    if verb := verbs.get(ProjectStatus(project.status)):
        verb(project_id=project.pk, actor=Actor.of_user(user))
    return project, after


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if 0 < seconds < float("inf"):
        return seconds
    raise ArgumentTypeError(f"{text!r} is not a number of seconds above 0.")
