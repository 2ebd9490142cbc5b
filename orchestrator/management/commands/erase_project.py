from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.actors import Actor
from audit.request_context import origin
from core.errors import DomainError
from core.text import visible
from orchestrator.engine.erasure import erase_project
from projects.access import get_visible_project
from ui.terminal.lookup import acting_user, add_user_option


class Command(BaseCommand):
    help = "Erases the contents of a finished project for good; a tombstone and its log stay."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", type=UUID)
        parser.add_argument("--reason", required=True, help="is recorded, and stays")
        parser.add_argument("--yes", action="store_true", help="do not ask again")
        add_user_option(parser)

    def handle(self, *, project: UUID, reason: str, user: str | None, **options: Any) -> None:
        person = acting_user(user)
        try:
            name = visible(get_visible_project(person, project).name)
            if not options["yes"] and input(f"Erase {name} for good? [y/N] ") != "y":
                raise CommandError("Nothing was erased.")
            with origin(channel="cli"):
                erase_project(project_id=project, actor=Actor.of_user(person), reason=reason)
        except DomainError as error:
            raise CommandError(visible(f"{error.code}: {error.detail}")) from error
        except (EOFError, KeyboardInterrupt):
            raise CommandError("Nothing was erased.", returncode=130) from None
        self.stdout.write(f"{project} is erased.")
