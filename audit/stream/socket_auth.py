from collections.abc import Awaitable, Callable
from typing import Any

from audit.stream.login import credentials_of


class TokenOrSessionAuth:
    """Puts the credentials of a handshake into its scope.

    Whose they are is asked after the socket is accepted, so that a browser sees the close code.
    """

    def __init__(self, inner: Callable[..., Awaitable[None]]) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        await self.inner(scope | {"credentials": credentials_of(scope)}, receive, send)
