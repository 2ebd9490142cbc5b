"""The table in which a release before kept tokens as they are. A later one drops it."""

from django.db import connection

# Processes of the release before may run beside a newer one for a while, and read it.
DELETE = """
    DELETE FROM authtoken_token WHERE EXISTS (
        SELECT 1 FROM django_migrations
        WHERE app = 'accounts' AND name = '0002_plain_tokens_are_hashed'
          AND applied < clock_timestamp() - interval '1 hour')
"""

_is_there = True


def delete_plain_tokens() -> int:
    """How many were deleted. Where there is no such table, nobody looks again."""
    global _is_there
    if not _is_there:
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('authtoken_token') IS NOT NULL")
        _is_there = cursor.fetchone()[0]
        if not _is_there:
            return 0
        cursor.execute(DELETE)
        return cursor.rowcount
