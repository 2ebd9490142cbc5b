from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.checkpoints import NoCheckpoint, make_checkpoint


class Command(BaseCommand):
    help = (
        "Signs the log as it is now, writes the checkpoint to CHECKPOINT_DIR and shows it. "
        "Exit status 1: it is not what was signed before."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--restored",
            default="",
            metavar="REASON",
            help="the log is another one because a backup was restored; the reason is signed too",
        )

    def handle(self, *, restored: str, **options: Any) -> None:
        try:
            self.stdout.write(make_checkpoint(restored=restored).note, ending="")
        except NoCheckpoint as error:
            raise CommandError(str(error)) from error
