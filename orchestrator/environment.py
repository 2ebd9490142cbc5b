from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, NoReturn

import environ
from django.core.exceptions import ImproperlyConfigured

from orchestrator.url_validation import is_host_and_port, is_url, split_url

WORDS = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(
    ("false", "no", "off", "0"), False
)
# What columns and intervals of time can hold.
LARGEST = 2**31 - 1
POSTGRESQL = ("postgresql://", "postgres://", "psql://", "pgsql://")
POSTGRESQL_FORM = "postgresql://user:password@host:port/name"


class Environment(environ.Env):
    """Variables at their word. What is empty is not set; what nobody can read stops the start.

    Else a slip of the pen, such as `HITL_PREVENT_SELF_APPROVAL=ture`, would open what was closed.
    All raise ImproperlyConfigured. The library's own readers are not used: they take `$x` for the
    name of another variable, and an empty list for one that somebody wrote.
    """

    def text(self, var: str, default: str = "") -> str:
        """Any text."""
        given = str(self.ENVIRON.get(var, ""))
        return given if given.strip() else default

    def bool(self, var: str, default: bool) -> bool:
        text = self._text(var)
        if not text:
            return default
        if text.lower() not in WORDS:
            _unreadable(var, text, "Use true or false.")
        return WORDS[text.lower()]

    def int(self, var: str, default: int, at_least: int = 0, at_most: int = LARGEST) -> int:
        text = self._text(var)
        if not text:
            return default
        try:
            number = int(text)
        except ValueError:
            _unreadable(var, text, "Use a whole number.")
        if not at_least <= number <= at_most:
            _unreadable(var, text, f"Use a whole number from {at_least} to {at_most}.")
        return number

    def word(self, var: str, default: str, known: Collection[str]) -> str:
        """One of the known ones, in capitals or not."""
        text = self._text(var) or default
        found = {word.lower(): word for word in known}.get(text.lower())
        return found or _unreadable(var, text, f"Use one of: {', '.join(known)}.")

    def names(
        self, var: str, default: list[str], is_name: Callable[[str], bool], remedy: str
    ) -> list[str]:
        """Separated by commas."""
        names = [name for one in self._text(var).split(",") if (name := one.strip())]
        for name in names:
            if not is_name(name):
                _unreadable(var, name, remedy)
        return names or default

    def numbers_by_name(self, var: str, default: str, example: str) -> dict[str, int]:
        """`name=number`, separated by commas; the numbers are above 0."""
        numbers = {}
        for entry in filter(None, (self._text(var) or default).split(",")):
            name, _, number = (part.strip() for part in entry.rpartition("="))
            if not name or "=" in name or not number.isdecimal() or not 0 < int(number) <= LARGEST:
                _unreadable(var, entry, f"Use a list such as {example}.")
            numbers[name] = int(number)
        return numbers

    def model(self, var: str, default: str) -> str:
        text = self._text(var)
        provider, _, name = text.partition(":")
        if text and not (provider and name):
            _unreadable(var, text, "Use provider:model, such as openai:text-embedding-3-small.")
        return text or default

    def share(self, var: str, default: float) -> float:
        text = self._text(var)
        try:
            share = float(text or default)
        except ValueError:
            share = -1
        if not 0 <= share <= 1:
            _unreadable(var, text, "Use a number from 0 to 1.")
        return share

    def listener(self, var: str, default: str) -> str:
        text = self._text(var)
        if text and not is_host_and_port(text):
            _unreadable(var, text, "Use host:port, such as 0.0.0.0:9808.")
        return text or default

    def web_url(self, var: str, default: str) -> str:
        text = self._text(var)
        if text and not is_url(text, ("http", "https")):
            _unreadable(var, text, "Use http://host or https://host, with a port and path or not.")
        return text or default

    def folder(self, var: str, default: str) -> str:
        """It is made where it is not there."""
        text = self.text(var)
        try:
            if text:
                Path(text).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            _unreadable(var, text, f"No such folder can be made: {error.strerror}. Use another.")
        return text or default

    def redis_url(self, var: str) -> str:
        text = self._text(var)
        parts = split_url(text)
        database = parts.path.strip("/") if parts else ""
        if not is_url(text, ("redis", "rediss")) or not (database or "0").isdecimal():
            self._secret(var, "redis://:password@host:port/0, or rediss:// for TLS")
        return text

    def postgresql_url(self, var: str) -> dict[str, Any]:
        """As Django's settings want it."""
        text = self._text(var)
        try:
            found = self.db_url_config(text) if text.startswith(POSTGRESQL) else {}
        except ValueError:
            found = {}
        return found if found.get("NAME") else self._secret(var, POSTGRESQL_FORM)

    def _secret(self, var: str, form: str) -> NoReturn:
        """It may hold a password, so it is not shown."""
        what = "cannot be read" if self._text(var) else "is not set"
        raise ImproperlyConfigured(f"{var} {what}. Use {form}.")

    def _text(self, var: str) -> str:
        return str(self.ENVIRON.get(var, "")).strip()


def _unreadable(var: str, text: str, remedy: str) -> NoReturn:
    raise ImproperlyConfigured(f"{var} is {text!r}. {remedy}")
