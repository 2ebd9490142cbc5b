"""Sends messages to groups of the channel layer, from a thread without an event loop."""

from functools import cache
from typing import Any
from uuid import UUID

import redis
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings

TIMEOUT_SECONDS = 1.0
# A question that holds up a call of a model may not take long.
ASK_SECONDS = 0.3
# A group, and what its consumers get.
Message = tuple[str, dict[str, Any]]


class Publisher:
    """For one thread: it keeps its connection.

    Sending to a group of the layer that publishes over Redis is one PUBLISH of the serialized
    message. Done here, many of them are one round trip, at a third of the processor time that they
    take through an event loop (ADR 15). Any other layer gets them one by one.
    """

    def __init__(self) -> None:
        self._layer = get_channel_layer()
        self._client: redis.Redis | None = None
        config = settings.CHANNEL_LAYERS["default"]["CONFIG"]
        # With several hosts the layer decides which of them has the group.
        if type(self._layer) is RedisPubSubChannelLayer and len(config["hosts"]) == 1:
            timeouts = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), TIMEOUT_SECONDS)
            address = config["hosts"][0]["address"]
            self._client = redis.Redis.from_url(address, retry=None, **timeouts)

    def publish(self, messages: list[Message]) -> None:
        """Raises redis.RedisError or OSError where Redis does not take them."""
        if self._client is None:
            for group, message in messages:
                async_to_sync(self._layer.group_send)(group, message)
            return
        with self._client.pipeline(transaction=False) as pipeline:
            for group, message in messages:
                payload = self._layer.serialize(message)
                pipeline.publish(channel_of(group), payload)
            pipeline.execute()


def channel_of(group: str) -> str:
    """Of a group, as the layer that publishes over Redis calls it."""
    prefix = settings.CHANNEL_LAYERS["default"]["CONFIG"].get("prefix", "asgi")
    return f"{prefix}__group__{group}"


def is_watched(project_id: UUID | str) -> bool:
    """Whether a server process listens for somebody who follows the project. False in doubt."""
    config = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    if len(config.get("hosts", ())) != 1:
        return False
    channel = channel_of(f"project_{project_id}")
    try:
        ((_, listeners),) = _asking(config["hosts"][0]["address"]).pubsub_numsub(channel)
    except (redis.RedisError, OSError, ValueError):
        return False
    return listeners > 0


@cache
def _asking(address: str) -> redis.Redis:
    """For all threads: one that finds no connection free goes without an answer."""
    timeouts = dict.fromkeys(("socket_timeout", "socket_connect_timeout"), ASK_SECONDS)
    return redis.Redis.from_url(address, retry=None, max_connections=4, **timeouts)
