"""List what is late."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from .records import Entity
from .store import Store
from .tables import table


@dataclass(frozen=True)
class Deadline:
    """The field holds the day until which a record should be done."""

    entity: Entity
    field: str

    def add_commands(self, commands: argparse._SubParsersAction) -> None:
        late = commands.add_parser("overdue", help=f"list {self.entity.plural} that are late")
        late.set_defaults(run=self._late)

    def _late(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        today = arguments.today.isoformat()
        rows = [
            row
            for row in store.rows(self.entity.name)
            if row.get(self.field) and row[self.field] < today and not row.get("done_on")
        ]
        return table(self.entity, rows)
