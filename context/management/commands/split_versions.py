from typing import Any

from django.core.management.base import BaseCommand

from context.services import split_old_versions


class Command(BaseCommand):
    help = "Gives sections and concepts to versions that older code wrote; safe to repeat."

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"{split_old_versions()} versions split.")
