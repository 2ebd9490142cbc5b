from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.checkpoints import NoCheckpoint, is_configured, make_checkpoint
from ops.backup import BackupError, restore


class Command(BaseCommand):
    help = "Fills an empty database from a file that `backup` wrote, and begins new epochs."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *, file: Path, **options: Any) -> None:
        try:
            streams = restore(file)
        except BackupError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Restored, with a new epoch for each of {streams} streams.")
        try:
            # It is another log than was signed here before, and somebody wanted it to be.
            if is_configured():
                make_checkpoint(restored=f"manage.py restore {file.name}")
        except NoCheckpoint as error:
            self.stderr.write(f"The restored log is not signed: {error}")
