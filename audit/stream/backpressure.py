"""Whether what was sent still waits in this process, because the client does not read.

ASGI has no word for it: `send` returns at once, and Daphne would keep any amount in memory.
"""

import asyncio
from typing import Any

FIRST_PAUSE_SECONDS = 0.001
LONGEST_PAUSE_SECONDS = 0.1


class Stalled(Exception):
    """The listener did not read, or not acknowledge, for too long."""


def is_congested(send: Any) -> bool:
    """Daphne's `send` is bound to the protocol, and Twisted marks a transport that is behind.

    False for a server that keeps it from us; its sockets are then bounded by `window` alone.
    """
    protocol = next(iter(getattr(send, "args", ())), None)
    transport = getattr(protocol, "transport", None)
    # An HTTP request's transport is its channel, which has the real one.
    transport = getattr(transport, "transport", transport)
    return bool(getattr(transport, "producerPaused", False))


async def decongested(send: Any, seconds: float) -> None:
    """Wait for the client to read. Raises Stalled."""
    pause, waited = FIRST_PAUSE_SECONDS, 0.0
    while is_congested(send):
        if waited >= seconds:
            raise Stalled
        await asyncio.sleep(pause)
        # A fast reader is back in a millisecond, a slow one is not asked so often.
        waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE_SECONDS)
