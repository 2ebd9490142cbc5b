from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.actors import Actor
from audit.request_context import origin
from core.errors import DomainError
from core.text import one_line, visible
from orchestrator.engine.imports import import_project, open_archive
from projects.enums import OversightLevel
from ui.terminal.lookup import acting_user, add_user_option


class Command(BaseCommand):
    help = "Imports the ZIP of an export as a new draft project of yours."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="EXPORT.zip")
        parser.add_argument("--name", default="", help="default: as in the export")
        parser.add_argument("--workflow", default="", help="default: as in the export")
        parser.add_argument(
            "--oversight-level",
            default="",
            choices=OversightLevel.values,
            help="default: as in the export",
        )
        add_user_option(parser)

    def handle(self, *, file: Path, user: str | None, **options: Any) -> None:
        person = acting_user(user)
        choices = {field: options[field] for field in ("name", "workflow", "oversight_level")}
        try:
            with file.open("rb") as source, origin(channel="cli"):
                archive = open_archive(source)
                project = import_project(actor=Actor.of_user(person), archive=archive, **choices)
        except OSError as error:
            reason = f"{one_line(str(file))} cannot be read: {error.strerror}."
            raise CommandError(reason) from error
        except DomainError as error:
            raise CommandError(visible(error.detail)) from error
        self.stdout.write(f"Project {project.pk}: {one_line(project.name)}")
