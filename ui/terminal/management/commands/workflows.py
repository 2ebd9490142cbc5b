from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.actors import Actor
from audit.request_context import origin
from core.errors import DomainError
from core.text import one_line, visible
from orchestrator.engine.own_workflows import (
    describe_workflow,
    describe_workflows,
    save_workflow_text,
    workflow_text,
)
from ui.terminal.lookup import acting_user, add_user_option


class Command(BaseCommand):
    help = "Lists workflows, prints one as YAML (--show), or adds one from a YAML file."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("file", nargs="?", type=Path, help="one workflow, or its next version")
        what.add_argument("--show", metavar="NAME", help="as a file has it, to be edited")
        add_user_option(parser)

    def handle(
        self, *, file: Path | None, show: str | None, user: str | None, **options: Any
    ) -> None:
        try:
            if show:
                self.stdout.write(visible(workflow_text(describe_workflow(show))))
            elif file:
                actor = Actor.of_user(acting_user(user))
                with origin(channel="cli"):
                    saved, _ = save_workflow_text(actor=actor, text=file.read_text("utf-8"))
                self.stdout.write(one_line(f"Saved: {saved.name} {saved.version}"))
            else:
                for one in describe_workflows():
                    own = "" if one.is_shipped else ", your own"
                    self.stdout.write(one_line(f"{one.name} {one.version}: {one.title}{own}"))
        except DomainError as error:
            reasons = "\n".join(fault["detail"] for fault in error.errors or [])
            raise CommandError(visible(f"{reasons or error.detail} ({error.code})")) from error
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(visible(f"{file} cannot be read: {error}")) from error
