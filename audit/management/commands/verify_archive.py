import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit import archive_verifier


class Command(BaseCommand):
    help = "Verifies archived events; reads nothing but the files. Exit status 1: they do not hold."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        archive_verifier.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        def refuse(why: str) -> None:
            raise CommandError(why)

        if status := archive_verifier.run(argparse.Namespace(**options), refuse):
            sys.exit(status)
