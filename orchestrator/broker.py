"""Connections to Redis as Celery's broker: quickly back after an outage, and unharmed by it."""

from collections.abc import Callable
from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection as BrokerConnection
from kombu.transport import TRANSPORT_ALIASES, redis, virtual
from redis.connection import Connection, SSLConnection
from redis.exceptions import ConnectionError as RedisAway
from redis.exceptions import ResponseError

from core import heartbeat

RECONNECT_SECONDS = 1


# What Redis answers while its disk or its memory is full. Celery would end the worker for it.
NO_ROOM = ("MISCONF", "OOM")


class Beating:
    """Each command, and each reconnection, has a time-out; several may follow each other.

    A Redis that takes no commands is one that is away.
    """

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        heartbeat.beat()
        return super().connect(*args, **kwargs)

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        heartbeat.beat()
        try:
            return super().read_response(*args, **kwargs)
        except ResponseError as error:
            if str(error).startswith(NO_ROOM):
                raise RedisAway(str(error)) from error
            raise


class BeatingConnection(Beating, Connection):
    pass


class BeatingSSLConnection(Beating, SSLConnection):
    pass


class InMemoryTaskQoS(redis.QoS):
    """Keeps unacknowledged messages of tasks in memory alone: the sweep enqueues those again.

    To note a message and to cross it out took an eighth of an agents' worker's time.
    """

    def append(self, message: Any, delivery_tag: str) -> None:
        if self._is_for_a_task(message):
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        if self._is_for_a_task(self._delivered.get(delivery_tag)):
            virtual.QoS.ack(self, delivery_tag)
        else:
            super().ack(delivery_tag)

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        message = self._delivered.get(tag)
        if not self._is_for_a_task(message):
            super().restore_by_tag(tag, client, leftmost)
            return
        info = message.delivery_info
        with self.pipe_or_acquire(client=client) as pipe:
            self.channel._do_restore_message(
                message._raw, info["exchange"], info["routing_key"], pipe, leftmost
            )
            pipe.execute()

    @staticmethod
    def _is_for_a_task(message: Any) -> bool:
        from agents.queue import RUN_TASK

        return message is not None and message.headers.get("task") == RUN_TASK


class ForgetfulChannel(redis.Channel):
    """One whose connection was lost neither acknowledges its messages nor puts them back.

    Either would end the worker with an error that Celery does not expect, and what it is working
    on with it. Redis delivers them once more, in vain where the work is done.
    """

    QoS = InMemoryTaskQoS
    connection_class = BeatingConnection
    connection_class_ssl = BeatingSSLConnection
    _one_client: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        """One for all commands. Kombu makes one for each, which took a sixth of a worker's time."""
        if asynchronous:
            return super()._create_client(asynchronous=True)
        if self._one_client is None or self._one_client.connection_pool is not self.pool:
            self._one_client = super()._create_client()
        return self._one_client

    @property
    def is_lost(self) -> bool:
        return self.closed or self.connection.client is None

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        if not self.is_lost:
            super().basic_ack(delivery_tag, multiple)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if not self.is_lost:
            super().basic_reject(delivery_tag, requeue)

    def close(self) -> None:
        self.do_restore = not self.is_lost
        super().close()


class ForgetfulTransport(redis.Transport):
    Channel = ForgetfulChannel


# Also for the pools of connections that messages are sent with.
TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), f"{__name__}:ForgetfulTransport")


class QuickReconnection(BrokerConnection):
    """Celery would wait up to 30 s between retries, long after Redis is back."""

    def ensure_connection(
        self, errback: Callable[..., Any] | None = None, *args: Any, **kwargs: Any
    ) -> BrokerConnection:
        def beat_and_report(error: Exception, seconds: float) -> None:
            # An outage of Redis is no reason to start this process again.
            heartbeat.beat()
            if errback is not None:
                errback(error, seconds)

        interval = {"interval_start": RECONNECT_SECONDS, "interval_step": 0}
        return super().ensure_connection(beat_and_report, *args, **(interval | kwargs))


class Broker(AMQP):
    Connection = QuickReconnection
