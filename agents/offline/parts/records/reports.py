"""Count records, and add up their numbers."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from decimal import Decimal

from .records import Entity
from .store import Store
from .tables import aligned


@dataclass(frozen=True)
class Report:
    """Counts by a field, and the total of another; both may be unset."""

    entity: Entity
    by: str = ""
    total: str = ""

    def add_commands(self, commands: argparse._SubParsersAction) -> None:
        name = "report" + (f"-{self.entity.name}" if self.entity.name else "")
        report = commands.add_parser(name, help=f"figures about {self.entity.plural}")
        report.set_defaults(run=self._report)

    def figures(self, store: Store) -> dict[str, tuple[int, Decimal]]:
        """Number of records and total by group."""
        groups: dict[str, tuple[int, Decimal]] = {}
        for row in store.rows(self.entity.name):
            group = str(row.get(self.by, "")) if self.by else "all"
            count, total = groups.get(group, (0, Decimal(0)))
            groups[group] = (count + 1, total + Decimal(row.get(self.total) or 0))
        return groups

    def _report(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        figures = self.figures(store)
        head = [
            self.by or self.entity.name,
            "count",
            *([f"total {self.total}"] if self.total else []),
        ]
        rows = [
            [group or "(none)", str(count), *([str(total)] if self.total else [])]
            for group, (count, total) in sorted(figures.items())
        ]
        every = [sum(count for count, _ in figures.values())]
        sums = [sum((total for _, total in figures.values()), Decimal(0))] if self.total else []
        return aligned([head, *rows, ["together", *map(str, every + sums)]])
