"""HTTP as uvicorn speaks it, with an end for requests that never come to theirs."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# A head has so long to arrive as a whole. A body that keeps coming may take any time.
HALF_OPEN_SECONDS = 10.0
# Less than this, and a body that trickles is one that has stopped.
BODY_BYTES_PER_SECOND = 500


class HttpProtocol(H11Protocol):
    """Closes a connection whose client has begun a request and does not go on with it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._awaited: Any = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch(len(data))

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # The next request may have begun already.
        self._watch(0)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self, received: int) -> None:
        state, now = self.conn.their_state, self.loop.time()
        is_begun = state is h11.SEND_BODY or (state is h11.IDLE and self.conn.trailing_data[0])
        # A socket has no end that is waited for; the request for it was its beginning.
        is_socket = self.transport.get_protocol() is not self
        if self.transport.is_closing() or is_socket or not is_begun:
            self._forget()
        elif self._awaited is not state:
            self._forget()
            self._awaited, self._deadline = state, now + HALF_OPEN_SECONDS
            self._timer = self.loop.call_at(self._deadline, self._end)
        elif state is h11.SEND_BODY:
            granted = self._deadline + received / BODY_BYTES_PER_SECOND
            self._deadline = min(granted, now + HALF_OPEN_SECONDS)

    def _end(self) -> None:
        now = self.loop.time()
        # It may be us who do not read on, or have not said yet that the body may come.
        if self.flow.read_paused or self.conn.they_are_waiting_for_100_continue:
            self._deadline = now + HALF_OPEN_SECONDS
        if now < self._deadline:
            self._timer = self.loop.call_at(self._deadline, self._end)
            return
        self.logger.info("closed a connection whose request did not go on")
        self._forget()
        self.transport.close()

    def _forget(self) -> None:
        self._awaited = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
