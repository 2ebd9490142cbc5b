"""Connections of a check's own, with short time-outs."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import redis
from django.conf import settings
from django.db import connection, transaction


def redis_client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1, retry=None
    )


@contextmanager
def database_cursor() -> Iterator[Any]:
    """In a transaction, at most 1.5 s a statement; the connection is given back."""
    with closing(connection), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = '1500ms'")
        yield cursor
