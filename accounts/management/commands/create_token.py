from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.current_actor import current_actor
from accounts.tokens import create_token
from core.authentication import Scope
from core.errors import DomainError


class Command(BaseCommand):
    help = "Makes a personal token for a user, and prints its key: this is the only time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="Made on the server")
        parser.add_argument("--scopes", nargs="+", choices=Scope.values, default=Scope.values)
        parser.add_argument("--days", type=int, help="default: TOKEN_DAYS")

    def handle(
        self, *, username: str, name: str, scopes: list[str], days: int | None, **options: Any
    ) -> None:
        user = get_user_model().objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {username}.")
        expires_at = None
        if days is not None:
            # More than any token may have, and less than a date can hold.
            expires_at = timezone.now() + timedelta(days=max(-1, min(days, 10_000)))
        try:
            _, key = create_token(
                user=user, name=name, scopes=scopes, expires_at=expires_at, actor=current_actor()
            )
        except DomainError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(key)
