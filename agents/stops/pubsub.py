"""Tells worker processes to look for emergency stops now. A lost hint costs them a second."""

import logging
import threading
from collections.abc import Callable

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 1
PING_SECONDS = 30
RECONNECT_SECONDS = 1


def publish_stop_hint() -> None:
    """Never raises for Redis: the stop stands without it."""
    try:
        with _redis(socket_timeout=TIMEOUT_SECONDS) as client:
            client.publish(_channel(), "look")
    except (redis.RedisError, OSError) as error:
        logger.warning("stop hint not sent", extra={"error": repr(error)})


class StopHintListener:
    """A thread that does nothing but call `on_hint`: at each hint, and at each connection made.

    The latter is for hints that came while there was no connection.
    """

    def __init__(self, on_hint: Callable[[], object]) -> None:
        self.is_connected = False
        self._on_hint = on_hint
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stop-hints", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """For tests. The thread itself ends with its next message."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except (redis.RedisError, OSError) as error:
                logger.debug("no connection for stop hints", extra={"error": repr(error)})
            except Exception:
                logger.exception("stop hints failed")
            self.is_connected = False
            self._ended.wait(RECONNECT_SECONDS)

    def _listen(self) -> None:
        with _redis() as client, client.pubsub(ignore_subscribe_messages=False) as hints:
            hints.subscribe(_channel())
            while not self._ended.is_set():
                if hints.get_message(timeout=PING_SECONDS):
                    self.is_connected = True
                    self._on_hint()
                else:
                    hints.ping()


def _channel() -> str:
    prefix = settings.CHANNEL_LAYERS["default"]["CONFIG"].get("prefix", "")
    return f"{prefix}:emergency-stop"


def _redis(**options: float) -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=TIMEOUT_SECONDS, **options
    )
