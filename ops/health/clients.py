"""The database, Redis, and what we need them to do for us."""

import asyncio
import secrets

import psycopg
import redis
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from audit.actors import Actor
from audit.enums import EventType
from audit.services import record
from core.ids import new_id
from ops.health.check import Finding

STATEMENT_TIMEOUT = "SET LOCAL statement_timeout = '1500ms'"
ROUND_TRIP_SECONDS = 1.5


def redis_client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1, retry=None
    )


def check_database() -> Finding:
    """By a connection of its own: a pool that is used up is not a database that is away."""
    try:
        with psycopg.connect(**connection.get_connection_params(), autocommit=True) as own:
            own.execute("SELECT 1")
    except psycopg.Error as error:
        raise DatabaseError(str(error)) from error
    return Finding()


def check_redis() -> Finding:
    with redis_client() as client:
        client.ping()
    return Finding()


def check_audit() -> Finding:
    """Append an event and take it back: to a stream that nobody else has, so that nobody waits."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(STATEMENT_TIMEOUT)
            record(
                project_id=new_id(),
                event_type=EventType.SYSTEM_WARNING,
                actor=Actor.of_system("health"),
                data={"probe": True},
            )
            transaction.set_rollback(True)
    finally:
        connection.close()
    return Finding(message="an event can be appended")


def check_channel_layer() -> Finding:
    asyncio.run(_round_trip())
    return Finding(message="a message went round")


async def _round_trip() -> None:
    layer, said = get_channel_layer(), {"type": "health.probe", "number": secrets.randbits(32)}
    try:
        async with asyncio.timeout(ROUND_TRIP_SECONDS):
            channel = await layer.new_channel("health.")
            await layer.send(channel, said)
            if await layer.receive(channel) != said:
                raise ConnectionError("another message came back")
    finally:
        await layer.flush()
