from typing import Any

from django.core.management.base import BaseCommand

from context.services import forget_repeated_names


class Command(BaseCommand):
    help = "Takes from sections and concepts of before the names that others have; safe to repeat."

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"{forget_repeated_names()} rows made smaller.")
