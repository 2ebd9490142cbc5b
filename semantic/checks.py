"""System checks: semantic search needs a model and an extension of the database."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from semantic.storage import EXTENSION

OFF = "Or switch it off: SEMANTIC_SEARCH=false."
EXTENSION_STATE = """
    SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = %s),
        EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = %s),
        rolsuper FROM pg_roles WHERE rolname = current_user
"""


@register()
def check_model(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    provider, _, model = settings.EMBEDDING_MODEL.partition(":")
    if provider and model:
        return []
    hint = f"Set EMBEDDING_MODEL, such as openai:text-embedding-3-small. {OFF}"
    message = "SEMANTIC_SEARCH is on, and no embedding model is named."
    return [Error(message, hint=hint, id="paraph.E010")]


@register(Tags.database)
def check_extension(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs before every migration, and with `check --database default`."""
    errors = []
    for name in databases or ():
        with connections[name].cursor() as cursor:
            cursor.execute(EXTENSION_STATE, [EXTENSION, EXTENSION])
            is_installed, is_available, may_create = cursor.fetchone()
        if is_installed or (is_available and may_create):
            continue
        message = f"SEMANTIC_SEARCH is on, and the database has no extension {EXTENSION!r}."
        hint = f"Let a superuser of the database run: CREATE EXTENSION {EXTENSION}. {OFF}"
        if not is_available:
            package = "pgvector 0.7 or later on the database server (postgresql-NN-pgvector)"
            hint = f"Install {package}. {hint}"
        errors.append(Error(message, hint=hint, id="paraph.E011"))
    return errors
