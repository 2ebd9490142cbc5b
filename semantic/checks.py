"""What must be there for semantic search, said before anything fails for the want of it."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections

from semantic.storage import EXTENSION

OFF = "Or switch it off: SEMANTIC_SEARCH=false."
FOUND = """
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
    what = "SEMANTIC_SEARCH is on, and no embedding model is named."
    return [Error(what, hint=hint, id="paraph.E010")]


@register(Tags.database)
def check_extension(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs before every migration, and with `check --database default`."""
    return [error for name in databases or () for error in _of_database(name)]


def _of_database(name: str) -> list[CheckMessage]:
    with connections[name].cursor() as cursor:
        cursor.execute(FOUND, [EXTENSION, EXTENSION])
        is_there, is_available, may_create = cursor.fetchone()
    if is_there or (is_available and may_create):
        return []
    what = f"SEMANTIC_SEARCH is on, and the database has no extension {EXTENSION!r}."
    create = f"Let a superuser of the database run: CREATE EXTENSION {EXTENSION}. {OFF}"
    install = (
        f"Install pgvector 0.7 or later on the database server (postgresql-NN-pgvector). {create}"
    )
    return [Error(what, hint=create if is_available else install, id="paraph.E011")]
