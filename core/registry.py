"""Kinds that grow: each is one module that registers itself under its name."""

import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Generic, TypeVar

Item = TypeVar("Item")


def import_modules(package: str) -> None:
    """Import every module of a package, so that what they hold registers itself."""
    for module in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
        import_module(module.name)


class Registry(Generic[Item]):
    """Items by name, sorted by `order` and then by name.

    `discover` imports the modules that register the items; it is called at the first look.
    """

    def __init__(self, kind: str, discover: Callable[[], None] | None = None) -> None:
        self.kind = kind
        self._items: dict[str, Item] = {}
        self._order: dict[str, tuple[int, str]] = {}
        self._labels: dict[str, str] = {}
        self._discover = discover

    def register(self, name: str, item: Item, *, label: str = "", order: int = 0) -> Item:
        """Raises ValueError for a name that is taken."""
        if name in self._items:
            raise ValueError(f"There are two {self.kind}s called {name!r}.")
        self._items[name] = item
        self._order[name] = (order, name)
        self._labels[name] = label or name.replace("_", " ").capitalize()
        return item

    def unregister(self, name: str) -> None:
        del self._items[name]

    def get(self, name: str) -> Item | None:
        return self._all().get(name)

    def label(self, name: str) -> str:
        """As people read it; the name itself where nothing is registered under it."""
        return self._labels[name] if name in self._all() else name

    @property
    def values(self) -> list[str]:
        """The names, as a TextChoices has them."""
        return sorted(self._all(), key=self._order.__getitem__)

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
        if self._discover:
            # First of all: a module that looks at the registry meanwhile sees what is there so far.
            discover, self._discover = self._discover, None
            discover()
        return self._items
