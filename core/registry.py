"""Registries of kinds that grow: each kind is one module that registers itself by name."""

import pkgutil
import threading
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Generic, TypeVar

from django.conf import settings

Item = TypeVar("Item")


class Registry(Generic[Item]):
    """Items by name, sorted by `order` and then by name.

    They register themselves in the module `place` of each installed app, or in the modules of the
    package `place`. These are imported at the first look, which may be before apps are loaded.
    """

    def __init__(self, kind: str, *, place: str) -> None:
        self.kind = kind
        self.place = place
        self._items: dict[str, Item] = {}
        self._order: dict[str, tuple[int, str]] = {}
        self._labels: dict[str, str] = {}
        #: The names of these items in their order.
        self._sorted: tuple[dict[str, Item] | None, list[str]] = (None, [])
        self._is_complete = self._is_discovering = False
        self._lock = threading.RLock()

    def register(self, name: str, item: Item, *, label: str = "", order: int = 0) -> Item:
        """Raises ValueError for a name that is taken."""
        if name in self._items:
            raise ValueError(f"There are two {self.kind}s called {name!r}.")
        self._items[name] = item
        self._order[name] = (order, name)
        self._sorted = (None, [])
        self._labels[name] = label or name.replace("_", " ").capitalize()
        return item

    def unregister(self, name: str) -> None:
        del self._items[name]
        self._sorted = (None, [])

    def get(self, name: str) -> Item | None:
        return self._all().get(name)

    def label(self, name: str) -> str:
        """As people read it; the name itself where nothing is registered under it."""
        return self._labels[name] if name in self._all() else name

    @property
    def values(self) -> list[str]:
        """The names, as a TextChoices has them."""
        items = self._all()
        of, names = self._sorted
        if of is not items:
            names = sorted(items, key=self._order.__getitem__)
            self._sorted = (items, names)
        return list(names)

    @property
    def choices(self) -> list[tuple[str, str]]:
        return [(name, self._labels[name]) for name in self.values]

    def __getitem__(self, name: str) -> Item:
        """Raises KeyError for a name that is not registered."""
        return self._all()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[Item]:
        return iter([self._items[name] for name in self.values])

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, Item]:
        if not self._is_complete:
            # Other threads wait. A module that reads the registry while it is being imported here
            # sees what is registered so far.
            with self._lock:
                if not self._is_discovering and not self._is_complete:
                    self._is_discovering = True
                    try:
                        self.discover()
                        self._is_complete = True
                    finally:
                        self._is_discovering = False
        return self._items

    def discover(self) -> None:
        for app in settings.INSTALLED_APPS:
            name = f"{app.partition('.apps.')[0]}.{self.place}"
            try:
                is_there = find_spec(name) is not None
            except ModuleNotFoundError:
                is_there = False
            if is_there:
                module = import_module(name)
                for inner in pkgutil.iter_modules(getattr(module, "__path__", []), f"{name}."):
                    import_module(inner.name)
