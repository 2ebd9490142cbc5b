"""Log lines: JSON objects or text, with the fields of the request or job that they belong to."""

import json
import logging
import re
from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from core.log_fields import current_log_fields
from ops.logging.log_context import facts_of

# Django and Celery add the whole request with its query, and the traceback a second time.
OMITTED = frozenset({*RESERVED_ATTRS, "message", "asctime", "taskName", "request", "data"})
# Could end a line, move the cursor, or make text look different from what it is.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
PLAIN = re.compile(r"[^\s\"=\\]+")
# Shorter secrets would match in the middle of words.
SECRET_LENGTH = 8


class WithFields(logging.Filter):
    """Adds the fields of the request or job to each line; those of the line itself come first."""

    def filter(self, record: logging.LogRecord) -> bool:
        fields = dict(current_log_fields())
        if isinstance(request := getattr(record, "request", None), HttpRequest):
            fields = facts_of(request) | fields
        vars(record).update(fields | vars(record))
        return True


class SecretMask:
    """Replaces the given secrets wherever they are quoted."""

    def __init__(self, secrets: Iterable[str]) -> None:
        long_secrets = {secret for secret in secrets if len(secret) >= SECRET_LENGTH}
        forms = long_secrets | {json.dumps(secret)[1:-1] for secret in long_secrets}
        longest_first = sorted(forms, key=len, reverse=True)
        self.pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def __call__(self, text: str) -> str:
        return self.pattern.sub("***", text) if self.pattern else text


class JsonLines(JsonFormatter):
    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger", "exc_info": "exception"},
            reserved_attrs=OMITTED,
            timestamp="time",
        )
        self.mask = SecretMask(secrets)

    def format(self, record: logging.LogRecord) -> str:
        return self.mask(super().format(record))


class TextLines(logging.Formatter):
    """One entry a line; further lines of an entry, such as a traceback, are indented."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self.mask = SecretMask(secrets)

    def format(self, record: logging.LogRecord) -> str:
        head = (self.formatTime(record), record.levelname, record.name, record.getMessage())
        extras = [
            f"{name}={_quoted(value)}"
            for name, value in vars(record).items()
            if name not in OMITTED
        ]
        lines = [" ".join([_escaped(" ".join(head)), *extras])]
        if record.exc_info:
            lines += self.formatException(record.exc_info).split("\n")
        if record.stack_info:
            lines += record.stack_info.split("\n")
        return self.mask("\n  ".join([lines[0], *map(_escaped, lines[1:])]))


def _quoted(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    if PLAIN.fullmatch(text) and not UNSAFE.search(text):
        return text
    return '"' + _escaped(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _escaped(text: str) -> str:
    return UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}" if match[0] != "\n" else "\\n", text)
