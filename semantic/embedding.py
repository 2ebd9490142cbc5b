"""Which texts are embedded, and when: each once, a batch at a time, and never two at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

from semantic.storage import last_embedded, missing, store

BATCH = 64
# The beginning says what a section is about, and models read no more than about so much.
CHARACTERS = 6_000
SECONDS = 60.0
# Texts with lower numbers may be committed a little later.
LOOKED_AT_AGAIN = 10_000
# One number for all installations of this application in a database.
LOCK = 7_301_946


def embed_missing(*, at_most: int | None = None, is_whole: bool = False) -> int:
    """Embed what has no embedding of the model yet; how many texts that were.

    `is_whole` looks at all texts, else only at the newest. Raises TransientError, PermanentError.
    """
    with _alone() as is_alone:
        return sum(_batches(at_most, is_whole)) if is_alone else 0


def _batches(at_most: int | None, is_whole: bool) -> Iterator[int]:
    from agents.providers.embedding import embed

    model, done = settings.EMBEDDING_MODEL, 0
    after = 0 if is_whole else last_embedded(model) - LOOKED_AT_AGAIN
    while at_most is None or done < at_most:
        limit = BATCH if at_most is None else min(BATCH, at_most - done)
        texts = missing(model, after=after, limit=limit, characters=CHARACTERS)
        if not texts:
            return
        # A model refuses what is empty.
        contents = [text.strip() or "-" for _, text in texts]
        ids = [pk for pk, _ in texts]
        store(model, ids, embed(contents, kind="document", seconds=SECONDS))
        done, after = done + len(ids), ids[-1]
        yield len(ids)


@contextmanager
def _alone() -> Iterator[bool]:
    """A lock of the connection, not of a transaction: models are slow."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        is_alone = cursor.fetchone()[0]
        try:
            yield is_alone
        finally:
            if is_alone:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
