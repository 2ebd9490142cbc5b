"""Whether what was sent still waits in this process, because the client does not read.

ASGI has no word for it: `send` returns at once, and Daphne would keep any amount in memory.
"""

import asyncio
from typing import Any

CHECK_SECONDS = 0.05


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
    for _ in range(max(1, round(seconds / CHECK_SECONDS))):
        if not is_congested(send):
            return
        await asyncio.sleep(CHECK_SECONDS)
    raise Stalled
