from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.models import EmergencyStop
from agents.selectors import stops_for, wait_for_acknowledgements
from agents.services import activate_emergency_stop, release_emergency_stop
from audit.actors import Actor
from audit.request_context import origin
from core.errors import DomainError
from core.text import one_line, visible
from projects.agent_types import agent_types
from ui.terminal.lookup import acting_user, add_user_option

WAIT_SECONDS = 10.0


class Command(BaseCommand):
    help = (
        "Stops all agents at once, and releases the stop again. Exit status 1: it failed, or a "
        "worker did not acknowledge in time."
    )
    # The checks load every URL and admin page, which takes longer than the command.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
        activate = commands.add_parser("activate", help="stop now, and wait until all have stopped")
        release = commands.add_parser("release", help="let the work continue")
        for command in (activate, release):
            command.add_argument(
                "--reason", required=True, help="why; everybody concerned can read it"
            )
            command.add_argument("--project", type=_id, metavar="ID", help="in this project only")
            command.add_argument("--agent-type", choices=agent_types.values, default="")
            add_user_option(command)
        activate.add_argument("--wait", type=float, default=WAIT_SECONDS, metavar="SECONDS")
        status = commands.add_parser("status", help="the active stops")
        status.add_argument("--all", action="store_true", help="also the released ones")
        add_user_option(status)

    def handle(self, *, command: str, user: str | None, **options: Any) -> None:
        person = acting_user(user)
        if command == "status":
            self._show_status(person, options["all"])
            return
        scope = {"project_id": options["project"], "agent_type": options["agent_type"]}
        service = activate_emergency_stop if command == "activate" else release_emergency_stop
        try:
            with origin(channel="cli"):
                stop, is_new = service(
                    actor=Actor.of_user(person), reason=options["reason"], **scope
                )
        except DomainError as error:
            raise CommandError(visible(f"{error.code}: {error.detail}")) from error
        done = {"activate": "Stopped", "release": "Released"}[command]
        self._say(f"{done}{'' if is_new else ' already'}: {stop.scope_text}.")
        if command == "release" and stop.is_active:
            self._say(f"It still stands: {stop.level_text}.")
        if command == "activate":
            self._wait(stop, options["wait"])

    def _wait(self, stop: EmergencyStop, seconds: float) -> None:
        stop = wait_for_acknowledgements(stop.pk, seconds)
        self._say(stop.workers_text)
        if stop.missing_workers:
            missing = ", ".join(stop.missing_workers)
            raise CommandError(
                f"Not acknowledged: {one_line(missing)}. The stop is active, and results from them "
                "are refused. Check whether these processes are alive."
            )

    def _show_status(self, person: Any, is_all: bool) -> None:
        stops = stops_for(person)
        for stop in stops if is_all else stops.active():
            self._say(
                f"{'active' if stop.is_active else 'released'}  {stop.scope_text}  since "
                f"{stop.activated_at:%Y-%m-%d %H:%M:%S %Z} by {stop.activated_by.get_username()}: "
                f"{stop.reason}  [{stop.workers_text}]"
            )
        if not stops.active().exists():
            self._say("Nothing is stopped.")

    def _say(self, text: str) -> None:
        self.stdout.write(one_line(text))


def _id(text: str) -> UUID:
    return UUID(text)
