"""What a model is writing right now, for those who watch: cut, not too often, and kept nowhere."""

import time
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# Between two frames of one call; only the end of what was written is shown.
INTERVAL_SECONDS = 0.5
TAIL_CHARACTERS = 600

# The name of the function that is being called, or "" for words of its own; and the text.
Sink = Callable[[str, str], None]
_sink: ContextVar[Sink | None] = ContextVar("partial_output", default=None)


@contextmanager
def partial_output(sink: Sink | None) -> Iterator[None]:
    """A model that can tell what it is writing tells the sink, within this context."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)


def stream_handler() -> Callable[[Any, AsyncIterable[Any]], Any] | None:
    """For the library, which asks the provider for a stream where there is one. None: nobody."""
    sink = _sink.get()
    if sink is None:
        return None

    async def handle(context: Any, events: AsyncIterable[Any]) -> None:
        name, text, told_at = "", "", 0.0
        async for event in events:
            if event.event_kind == "part_start":
                name, text = getattr(event.part, "tool_name", ""), _piece(event.part)
            elif event.event_kind == "part_delta":
                text = (text + _piece(event.delta))[-TAIL_CHARACTERS:]
            else:
                continue
            now = time.monotonic()
            if text and now - told_at >= INTERVAL_SECONDS:
                told_at = now
                sink(name, text)

    return handle


def _piece(part: Any) -> str:
    """Of a part, or of what is added to one: text, thoughts, or the arguments of a call."""
    for field in ("content", "content_delta", "args", "args_delta"):
        value = getattr(part, field, None)
        if isinstance(value, str):
            return value[-TAIL_CHARACTERS:]
    return ""
