import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from context.printing.pdf import TooLong
from orchestrator.engine.document import FORMS, document_of, sources_of
from orchestrator.engine.document_jobs import EXIT_TOO_LONG, MAKE_SECONDS
from projects.models import Project


class Command(BaseCommand):
    help = "Make and keep the document of a project; a worker calls it for a large one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="The project's id.")
        parser.add_argument("form", choices=list(FORMS))

    def handle(self, *args: Any, **options: Any) -> None:
        # Also where the worker that looks at the time was killed.
        signal.alarm(int(MAKE_SECONDS) + 5)
        try:
            document_of(sources_of(Project.objects.get(pk=options["project"])), options["form"])
        except TooLong as error:
            detail = "It is too large to be set in type."
            raise CommandError(detail, returncode=EXIT_TOO_LONG) from error
