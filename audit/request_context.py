"""Through which channel a change came: for the log's `metadata`, never to decide anything."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_origin: ContextVar[dict[str, str] | None] = ContextVar("origin", default=None)


def current_origin() -> dict[str, str]:
    return dict(_origin.get() or {})


@contextmanager
def origin(**fields: str) -> Iterator[None]:
    """Facts recorded inside carry these fields, e.g. `channel="rest"`."""
    token = _origin.set(current_origin() | fields)
    try:
        yield
    finally:
        _origin.reset(token)
