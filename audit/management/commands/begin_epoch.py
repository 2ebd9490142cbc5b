from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from audit.actors import Actor
from audit.events import BACKUP_RESTORED
from audit.installation import record_installation
from audit.services import begin_epoch


class Command(BaseCommand):
    help = (
        "After a backup was restored: every stream begins a new epoch, so that clients which know "
        "more than the backup start again. Run it before anything else is started."
    )
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        with transaction.atomic():
            streams = begin_epoch()
            record_installation(BACKUP_RESTORED, Actor.of_system("terminal"), streams=streams)
        self.stdout.write(f"{streams} streams have a new epoch.")
