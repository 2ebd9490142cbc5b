from collections.abc import Iterator

from django.db import connection

BATCH = 5_000
SAME_NAME = {
    "context_sections": "older.title = part.title",
    "context_concepts": "older.identifier = part.identifier AND older.title = part.title",
}
# The oldest row of a text under a name keeps its trigrams. Nothing else ever changes these rows, so
# a batch, which is a transaction of its own, waits for nobody.
FORGET = """
    UPDATE {table} AS part SET trigrams = NULL
    WHERE id > %s AND id <= %s AND trigrams IS NOT NULL AND EXISTS (
        SELECT 1 FROM {table} AS older
        WHERE older.body_id = part.body_id AND {same} AND older.id < part.id
            AND older.trigrams IS NOT NULL
    )
"""


def forget_repeated_names() -> int:
    """Of rows from before names were stored once; how many had one too many. Safe to repeat."""
    return sum(
        _forget(FORGET.format(table=table, same=same), start)
        for table, same in SAME_NAME.items()
        for start in _batches(table)
    )


def _batches(table: str) -> Iterator[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608 - a constant
        return iter(range(0, cursor.fetchone()[0], BATCH))


def _forget(sql: str, start: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, [start, start + BATCH])
        return cursor.rowcount
