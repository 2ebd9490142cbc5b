"""Spans of a trace, to see where time goes from a request to its last effect.

They are OpenTelemetry's, which is imported only if TRACES is on; named `paraph.<name>`, or as its
conventions say. Spans leave
the installation: they hold ids and names, never contents.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

Facts = Mapping[str, Any]


class Span(Protocol):
    def add(self, facts: Facts) -> None:
        """Values that are None are left out."""

    def fail(self, code: str) -> None:
        """The work did not succeed."""


class Tracing(Protocol):
    def span(self, name: str, facts: Facts) -> AbstractContextManager[Span]:
        """Lasts as long as the context; an exception that leaves it fails the span."""

    def named_span(
        self, name: str, facts: Facts, *, is_client: bool
    ) -> AbstractContextManager[Span]:
        """The same, with exactly this name; `is_client`: of a request to somebody else."""

    def traceparent(self) -> str:
        """Of the current span, as the W3C writes it; '' where it is not kept."""


class _NullSpan:
    def add(self, facts: Facts) -> None:
        pass

    def fail(self, code: str) -> None:
        pass


_OFF: AbstractContextManager[Span] = nullcontext(_NullSpan())
_tracing: Tracing | None = None


def trace_with(tracing: Tracing | None) -> None:
    """Set what records the spans of this process; None switches it off."""
    global _tracing
    _tracing = tracing


def span(name: str, facts: Facts | None = None) -> AbstractContextManager[Span]:
    return _OFF if _tracing is None else _tracing.span(name, facts or {})


def named_span(
    name: str, facts: Facts | None = None, *, is_client: bool = False
) -> AbstractContextManager[Span]:
    """With a name of OpenTelemetry's conventions."""
    if _tracing is None:
        return _OFF
    return _tracing.named_span(name, facts or {}, is_client=is_client)


def traceparent() -> str:
    """Of the current span, where it is traced and kept; else ''."""
    return "" if _tracing is None else _tracing.traceparent()
