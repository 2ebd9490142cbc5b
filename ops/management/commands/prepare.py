import json
import logging
import os
import secrets
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from accounts.tokens import create_login_token
from audit.checkpoints import NoCheckpoint, make_checkpoint_if_due
from context.services import split_old_versions
from ops.devserver.runtime import write_private

logger = logging.getLogger(__name__)

FIRST_NAME = "admin"


class Command(BaseCommand):
    help = "Migrates the database and, if it has no administrator yet, creates the first one."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--answer", type=Path, required=True, help="private file to write to")

    def handle(self, *, answer: Path, **options: Any) -> None:
        call_command("migrate", interactive=False, skip_checks=True)
        split_old_versions()
        sign_log()
        write_private(answer, json.dumps(first_administrator()))


def sign_log() -> None:
    """A start that finds another log than was signed goes on all the same; health says so, too."""
    try:
        make_checkpoint_if_due()
    except NoCheckpoint as error:
        logger.error("the log is not signed", extra={"error": str(error)})


@transaction.atomic
def first_administrator() -> dict[str, Any]:
    """Creates one only while there is no active administrator."""
    users = get_user_model().objects
    existing = users.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if existing:
        return {"username": existing.get_username(), "is_new": False}
    configured_password = os.environ.get("ADMIN_PASSWORD")
    password = configured_password or secrets.token_urlsafe(12)
    user = users.create_superuser(FIRST_NAME, password=password)
    return {
        "username": FIRST_NAME,
        "is_new": True,
        "password": None if configured_password else password,
        "token": create_login_token(user),
    }
