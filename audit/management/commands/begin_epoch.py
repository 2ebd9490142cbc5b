from typing import Any

from django.core.management.base import BaseCommand

from audit.services import begin_epoch


class Command(BaseCommand):
    help = (
        "After a backup was restored: every stream begins a new epoch, so that clients which know "
        "more than the backup start again. Run it before anything else is started."
    )
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"{begin_epoch()} streams have a new epoch.")
