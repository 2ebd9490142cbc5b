"""Whether what was sent still waits in this process, because the client does not read.

ASGI has no word for it: `send` returns at once, and Daphne would keep any amount in memory.
"""

from typing import Any


def is_congested(send: Any) -> bool:
    """Daphne's `send` is bound to the protocol, and Twisted marks a transport that is behind.

    False for a server that keeps it from us; its sockets are then bounded by `window` alone.
    """
    protocol = next(iter(getattr(send, "args", ())), None)
    transport = getattr(protocol, "transport", None)
    return bool(getattr(transport, "producerPaused", False))
