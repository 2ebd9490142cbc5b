"""The types of agents: those that the product ships with, and those of the installation.

The roles in `agents` register here, where models can use them. What an installation has changed, or
added, are rows; `agents` says how they are read. Other processes know of a change within
AGENT_TYPES_SECONDS.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.db import Error as DatabaseAway
from django.db import models

from core.registry import Registry

logger = logging.getLogger(__name__)

# After a database that did not answer.
PAUSE_SECONDS = 30.0


@dataclass(frozen=True)
class Entry:
    """A type as its row says: `role` makes it of the one that ships, or of nothing."""

    name: str
    label: str
    order: int
    role: Callable[[Any], Any]


class AgentTypes(Registry[Any]):
    """As every registry; items are read anew when they are too old."""

    #: All rows. Whatever it raises, what was known before holds.
    read: Callable[[], list[Entry]] | None = None

    def __init__(self) -> None:
        super().__init__("agent type", place="roles")
        self._shipped: dict[str, Any] = {}
        self._as_shipped: dict[str, tuple[str, tuple[int, str]]] = {}
        self._read_again_at = 0.0
        self._renew_lock()
        os.register_at_fork(after_in_child=self._renew_lock)

    def _renew_lock(self) -> None:
        """A forked child has none of the threads that held it."""
        self._reading = threading.Lock()

    def register(self, name: str, item: Any, *, label: str = "", order: int = 0) -> Any:
        self._shipped[name] = super().register(name, item, label=label, order=order)
        self._as_shipped[name] = (self._labels[name], self._order[name])
        return item

    def unregister(self, name: str) -> None:
        super().unregister(name)
        del self._shipped[name], self._as_shipped[name]

    @property
    def shipped(self) -> list[str]:
        """Those of the product, without a look into the database."""
        super()._all()
        return list(self._shipped)

    def is_shipped(self, name: str) -> bool:
        """The product has it without any row."""
        self._all()
        return name in self._shipped

    def refresh(self) -> None:
        """Read the rows now."""
        super()._all()
        with self._reading:
            self._read_rows()

    def _read_rows(self) -> None:
        self._read_again_at = time.monotonic() + settings.AGENT_TYPES_SECONDS
        try:
            entries = self.read() if self.read else []
        except DatabaseAway as error:
            # There is none, or it has no such table yet.
            self._read_again_at = time.monotonic() + PAUSE_SECONDS
            logger.debug("agent types not read", extra={"error": repr(error)})
            return
        except Exception as error:
            # Not from here, as on an event loop; whoever comes next may.
            self._read_again_at = 0.0
            logger.debug("agent types not read", extra={"error": repr(error)})
            return
        items = dict(self._shipped)
        for name in items:
            self._labels[name], self._order[name] = self._as_shipped[name]
        for entry in entries:
            items[entry.name] = entry.role(self._shipped.get(entry.name))
            self._order[entry.name] = (entry.order, entry.name)
            self._labels[entry.name] = entry.label
        # At once: other threads iterate over the one before.
        self._items = items

    def _all(self) -> dict[str, Any]:
        super()._all()
        is_old = self.read is not None and time.monotonic() >= self._read_again_at
        # While one thread reads, the others go on with what is known: the database may be away.
        if is_old and self._reading.acquire(blocking=False):
            try:
                self._read_rows()
            finally:
                self._reading.release()
        return self._items


agent_types = AgentTypes()


def agent_type_choices() -> list[tuple[str, str]]:
    return agent_types.choices


class AgentTypeField(models.CharField):
    """The name of one, whose choices are rows: for the system checks, which run at every start,
    that is nothing to look into."""

    def _check_choices(self) -> list[CheckMessage]:
        return []

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs
