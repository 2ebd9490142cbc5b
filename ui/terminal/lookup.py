"""Whom and what the arguments of a command name. Object permissions hold here as everywhere."""

from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser

from core.text import one_line
from hitl.models import HitlRequest
from hitl.selectors import requests_for
from projects.models import Project

DEFAULT_NAME = "admin"
ID_DIGITS = 32
LISTED_MAX = 5


def add_user_option(parser: CommandParser) -> None:
    parser.add_argument(
        "--user",
        metavar="NAME",
        help=f"act as this person (default: the only superuser, else {DEFAULT_NAME})",
    )


def acting_user(name: str | None) -> Any:
    """Raises CommandError where it is not clear who acts."""
    if name:
        return named_user(name)
    users = list(get_user_model().objects.filter(is_superuser=True, is_active=True)[:20])
    if not users:
        raise CommandError(
            "There is no superuser yet: create one with `manage.py createsuperuser`, "
            "or name a person with --user NAME."
        )
    by_name = {user.get_username(): user for user in users}
    if len(users) == 1 or DEFAULT_NAME in by_name:
        return by_name.get(DEFAULT_NAME, users[0])
    names = ", ".join(map(one_line, by_name))
    raise CommandError(f"There are several superusers. Choose one with --user NAME: {names}.")


def named_user(name: str) -> Any:
    """Raises CommandError."""
    model = get_user_model()
    user = model.objects.filter(**{model.USERNAME_FIELD: name}).first()
    if user is None:
        raise CommandError(f"There is no user {one_line(name)!r}.")
    if not user.is_active:
        raise CommandError(f"The user {one_line(name)!r} is not active and cannot act.")
    return user


def visible_project(user: Any, text: str) -> Project:
    """Raises CommandError."""
    try:
        project_id = UUID(text)
    except ValueError as error:
        raise CommandError(f"{one_line(text)!r} is not the id of a project.") from error
    project = Project.objects.visible_to(user).filter(pk=project_id).first()
    if project is None:
        raise CommandError("There is no such project, or you may not see it.")
    return project


def find_request(user: Any, text: str) -> HitlRequest:
    """The visible request that the id, or its beginning, names. Raises CommandError."""
    digits = text.replace("-", "").lower()
    if not digits or len(digits) > ID_DIGITS or not set(digits) <= set("0123456789abcdef"):
        raise CommandError(f"{one_line(text)!r} is not an id or the beginning of one.")
    # As a range, which the primary key's index can serve.
    low, high = UUID(digits.ljust(ID_DIGITS, "0")), UUID(digits.ljust(ID_DIGITS, "f"))
    matching = requests_for(user).filter(pk__gte=low, pk__lte=high).order_by("pk")
    requests = list(matching[: LISTED_MAX + 1])
    if not requests:
        raise CommandError(f"There is no request {one_line(text)!r}, or you may not see it.")
    if len(requests) > 1:
        ids = ", ".join(str(request.pk) for request in requests[:LISTED_MAX])
        raise CommandError(f"{one_line(text)!r} is the beginning of several: {ids}.")
    return requests[0]
