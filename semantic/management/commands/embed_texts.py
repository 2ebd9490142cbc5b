from typing import Any

from django.core.management.base import BaseCommand, CommandError

from agents.protocols import WorkError
from semantic.embedding import embed_missing


class Command(BaseCommand):
    help = "Embeds all texts that have no embedding of EMBEDDING_MODEL yet; safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = embed_missing(is_whole=True)
        except WorkError as error:
            raise CommandError(f"{error.detail} What was embedded before is kept.") from None
        self.stdout.write(f"{count} texts embedded.")
