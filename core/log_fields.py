"""The request, job, project and task that a log line belongs to. Only for logs."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar, Token, copy_context
from types import MappingProxyType
from typing import Any

# Ids from outside stay in logs and events for good: only plain ones of a reasonable length.
PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
NO_FIELDS: Mapping[str, Any] = MappingProxyType({})

_fields: ContextVar[Mapping[str, Any]] = ContextVar("log_fields", default=NO_FIELDS)
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
    """From here on only these fields: for a job, whose end is a separate call."""
    return _fields.set(fields)


def end_log_fields(token: Token) -> None:
    _fields.reset(token)


def detached_context(**fields: Any) -> Context:
    """For what outlives the request that starts it, and serves other requests, too."""
    context = copy_context()
    context.run(_fields.set, fields)
    context.run(_noted.set, None)
    return context


@contextmanager
def request_log_facts() -> Iterator[dict[str, Any]]:
    """Collects what is noted inside, for the line that is written at the end of the request."""
    facts: dict[str, Any] = {}
    token = _noted.set(facts)
    try:
        yield facts
    finally:
        _noted.reset(token)


def note(**facts: Any) -> None:
    """Add to the line of the current request, if there is one."""
    noted = _noted.get()
    if noted is not None:
        noted.update(facts)


def note_project(project_id: Any) -> None:
    """Note the project of the current request, or none where it writes to several."""
    noted = _noted.get()
    if noted is not None:
        project = str(project_id)
        noted["project"] = project if noted.setdefault("project", project) == project else None
