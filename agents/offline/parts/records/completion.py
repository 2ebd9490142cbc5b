"""Mark records as done."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from .records import Entity, Problem
from .store import Store
from .tables import table


@dataclass(frozen=True)
class Completion:
    """Records of this kind are open until they are done."""

    entity: Entity

    def add_commands(self, commands: argparse._SubParsersAction) -> None:
        done = commands.add_parser("done", help=f"mark a {self.entity.name} as done")
        done.add_argument("number", type=int, help=f"number of the {self.entity.name}")
        done.set_defaults(run=self._done)
        still_open = commands.add_parser("open", help=f"list the {self.entity.plural} not yet done")
        still_open.set_defaults(run=self._open)

    def _done(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        row = store.get(self.entity.name, arguments.number)
        if row.get("done_on"):
            raise Problem(f"{self.entity.label(row)} was done on {row['done_on']} already")
        row["done_on"] = arguments.today.isoformat()
        return [f"Done: {self.entity.label(row)}."]

    def _open(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        rows = [row for row in store.rows(self.entity.name) if not row.get("done_on")]
        return table(self.entity, rows)
