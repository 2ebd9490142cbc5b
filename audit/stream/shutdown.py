import asyncio
import sys
from collections.abc import Awaitable, Callable


def before_shutdown(farewell: Callable[[], Awaitable[None]]) -> None:
    """Daphne's reactor waits for it before it drops the connections; other servers never ask."""
    reactor = sys.modules.get("twisted.internet.reactor")
    if reactor is None or not reactor.running:
        return
    from twisted.internet.defer import Deferred

    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromFuture(asyncio.ensure_future(farewell()))
    )
