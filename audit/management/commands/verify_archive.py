import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from audit import archive_verifier


class Command(BaseCommand):
    help = "Verifies archived events; reads nothing but the files. Exit status 1: they do not hold."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="parts of one log, in order")
        parser.add_argument("--head", metavar="HASH", help="what the last event's hash must be")

    def handle(self, *, files: list[str], head: str | None, **options: Any) -> None:
        status = archive_verifier.main([*files, *(["--head", head] if head else [])])
        if status:
            sys.exit(status)
