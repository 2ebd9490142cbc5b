"""Embedding of texts: each once, in batches, by one process at a time."""

from django.conf import settings
from django.db import connection

from semantic.storage import last_embedded, missing, store

BATCH = 64
# The beginning says what a section is about, and models read about this much.
CHARACTERS = 6_000
SECONDS = 60.0
# So many ids are looked at again: a text with a lower id may be committed a little later.
OVERLAP = 10_000
# One number for all installations of this application in a database.
LOCK = 7_301_946


def embed_missing(*, at_most: int | None = None, is_whole: bool = False) -> int:
    """Embed what has no embedding of the model yet; returns how many texts that were.

    `is_whole` looks at all texts, else only at the newest. Raises TransientError, PermanentError.
    """
    from agents.providers.embedding import embed

    model, count = settings.EMBEDDING_MODEL, 0
    with connection.cursor() as cursor:
        # A lock of the connection, not of a transaction: models are slow.
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
        try:
            after = 0 if is_whole else last_embedded(model) - OVERLAP
            while at_most is None or count < at_most:
                limit = BATCH if at_most is None else min(BATCH, at_most - count)
                rows = missing(model, after=after, limit=limit, characters=CHARACTERS)
                if not rows:
                    break
                # Models refuse empty texts.
                texts = [text.strip() or "-" for _, text in rows]
                ids = [pk for pk, _ in rows]
                store(model, ids, embed(texts, kind="document", seconds=SECONDS))
                count, after = count + len(ids), ids[-1]
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    return count
