import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import close_old_connections

Result = TypeVar("Result")

# Each thread keeps one connection: the bound on what a server process's sockets cost the database.
THREADS = 5
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="stream-database")


async def in_database(read: Callable[..., Result], *args: Any) -> Result:
    """Run a short read without blocking the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _run, read, args)


def _run(read: Callable[..., Result], args: tuple) -> Result:
    close_old_connections()
    try:
        return read(*args)
    finally:
        close_old_connections()
