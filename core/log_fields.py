"""For which request, job, project and task a log line was written. For logs only."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar, Token, copy_context
from types import MappingProxyType
from typing import Any

# What comes from outside goes into logs and events for good: only plain ids of a sane length.
PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
NOTHING: Mapping[str, Any] = MappingProxyType({})

_fields: ContextVar[Mapping[str, Any]] = ContextVar("log_fields", default=NOTHING)
_noted: ContextVar[dict[str, Any] | None] = ContextVar("noted", default=None)


def current_log_fields() -> Mapping[str, Any]:
    return _fields.get()


@contextmanager
def log_fields(**fields: Any) -> Iterator[None]:
    """Lines written inside carry these fields, too."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def begin_log_fields(**fields: Any) -> Token:
    """From here on these and no others: for a job, whose end is another call."""
    return _fields.set(fields)


def end_log_fields(token: Token) -> None:
    _fields.reset(token)


def context_of_its_own(**fields: Any) -> Context:
    """For what outlives the request that happens to start it, and serves others, too."""
    context = copy_context()
    context.run(_fields.set, fields)
    context.run(_noted.set, None)
    return context


@contextmanager
def line_of_a_request() -> Iterator[dict[str, Any]]:
    """Gathers what is noted inside, for the one line that is written at its end."""
    facts: dict[str, Any] = {}
    token = _noted.set(facts)
    try:
        yield facts
    finally:
        _noted.reset(token)


def note(**facts: Any) -> None:
    """Add to the line of the request at hand, if there is one."""
    noted = _noted.get()
    if noted is not None:
        noted.update(facts)


def note_project(project_id: Any) -> None:
    """A request that writes to several projects belongs to none of them."""
    noted = _noted.get()
    if noted is not None:
        project = str(project_id)
        noted["project"] = project if noted.setdefault("project", project) == project else None
