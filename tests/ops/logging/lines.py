"""Lines of the product's own formatters, of this process or of others."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ops.logging.formatters import JsonLines, TextLines, WithFields

KINDS = {"json": JsonLines, "text": TextLines}


class Lines:
    def __init__(self, kind: str, *secrets: str) -> None:
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(KINDS[kind](secrets))
        handler.addFilter(WithFields())
        self.handler = handler

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


@contextmanager
def written(kind: str, *secrets: str) -> Iterator[Lines]:
    """What all loggers write inside."""
    lines, root = Lines(kind, *secrets), logging.getLogger()
    before, root.level = root.level, logging.INFO
    root.addHandler(lines.handler)
    try:
        yield lines
    finally:
        root.removeHandler(lines.handler)
        root.level = before


def entries_of(output: str) -> list[dict[str, Any]]:
    """Of another process, all of whose lines are JSON objects."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]
