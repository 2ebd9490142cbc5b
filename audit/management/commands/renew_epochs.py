from typing import Any

from django.core.management.base import BaseCommand

from audit.epochs import renew_epochs


class Command(BaseCommand):
    help = "After a restore by other means than `restore`: tells clients that history went back."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{renew_epochs()} streams have a new epoch.")
