"""Which person acts in a command. Object permissions hold here as everywhere."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser

from core.text import one_line

DEFAULT_NAME = "admin"


def add_user_option(parser: CommandParser) -> None:
    parser.add_argument(
        "--user",
        metavar="NAME",
        help=f"act as this person (default: the only superuser, else {DEFAULT_NAME})",
    )


def acting_user(name: str | None) -> Any:
    """Raises CommandError where it is not clear who acts."""
    return named_user(name) if name else _default()


def named_user(name: str) -> Any:
    """Raises CommandError."""
    model = get_user_model()
    user = model.objects.filter(**{model.USERNAME_FIELD: name}).first()
    if user is None:
        raise CommandError(f"There is no user {one_line(name)!r}.")
    if not user.is_active:
        raise CommandError(f"The user {one_line(name)!r} is not active and cannot act.")
    return user


def _default() -> Any:
    found = list(get_user_model().objects.filter(is_superuser=True, is_active=True)[:20])
    named = [user for user in found if user.get_username() == DEFAULT_NAME]
    if len(found) == 1 or named:
        return named[0] if named else found[0]
    if not found:
        raise CommandError(
            "Who acts? There is no superuser yet: make one with `manage.py createsuperuser`, "
            "or name a person with --user NAME."
        )
    names = ", ".join(one_line(user.get_username()) for user in found)
    raise CommandError(f"Who acts? Name one of the superusers with --user NAME: {names}.")
