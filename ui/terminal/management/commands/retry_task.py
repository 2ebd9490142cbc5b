from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.services import retry_task
from audit.actors import Actor
from audit.request_context import origin
from core.errors import DomainError
from core.text import one_line
from ui.terminal.console import Terminal
from ui.terminal.lookup import acting_user, add_user_option


class Command(BaseCommand):
    help = "Try a task again now: one that failed, was cancelled, or waits for its next attempt."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("task", type=UUID, help="the task's id, as `progress` names it")
        add_user_option(parser)

    def handle(self, *, task: UUID, user: str | None, **options: Any) -> None:
        self.stdout.ending = ""
        terminal = Terminal(self.stdout, no_color=options["no_color"])
        try:
            with origin(channel="cli"):
                retry_task(task_id=task, actor=Actor.of_user(acting_user(user)))
        except DomainError as error:
            raise CommandError(one_line(f"{error.code}: {error.detail}")) from error
        terminal.say(f"{task}: it is tried again now")
