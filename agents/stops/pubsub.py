"""Tell worker processes to look for emergency stops now. Lost, they look a second later."""

import logging
from collections.abc import Callable

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 1
PATIENCE_SECONDS = 30


def publish_stop_hint() -> None:
    """Never raises for Redis: the stop stands without it."""
    try:
        with _redis(socket_timeout=TIMEOUT_SECONDS) as client:
            client.publish(_channel(), "look")
    except (redis.RedisError, OSError) as error:
        logger.warning("stop hint not sent", extra={"error": repr(error)})


def listen_for_stop_hints(heard: Callable[[], None]) -> None:
    """Call `heard` at each hint, and once there is a connection. Raises when that breaks."""
    with _redis() as client, client.pubsub(ignore_subscribe_messages=False) as hints:
        hints.subscribe(_channel())
        while True:
            if hints.get_message(timeout=PATIENCE_SECONDS):
                heard()
            else:
                hints.ping()


def _channel() -> str:
    prefix = settings.CHANNEL_LAYERS["default"]["CONFIG"].get("prefix", "")
    return f"{prefix}:emergency-stop"


def _redis(**options: float) -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=TIMEOUT_SECONDS, **options
    )
