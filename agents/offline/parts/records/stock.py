"""Take things into stock and out of it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from .records import Entity, Problem
from .store import Store
from .tables import table


@dataclass(frozen=True)
class Stock:
    """The stock of each record is held in one of its fields."""

    entity: Entity
    field: str
    low: int | None = None

    def add_commands(self, commands: argparse._SubParsersAction) -> None:
        for name, sign in (("receive", 1), ("issue", -1)):
            move = commands.add_parser(name, help=f"{name} some of a {self.entity.name}")
            move.add_argument("number", type=int, help=f"number of the {self.entity.name}")
            move.add_argument("amount", type=int, help="how many")
            move.set_defaults(run=self._move, sign=sign)
        low = commands.add_parser("low", help=f"list {self.entity.plural} that run low")
        low.set_defaults(run=self._low)

    def quantity(self, row: dict) -> int:
        return int(row.get(self.field) or 0)

    def _move(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        row = store.get(self.entity.name, arguments.number)
        if arguments.amount < 1:
            raise Problem("the amount must be at least 1")
        quantity = self.quantity(row) + arguments.sign * arguments.amount
        if quantity < 0:
            raise Problem(f"only {self.quantity(row)} in stock")
        row[self.field] = str(quantity)
        return [f"{self.entity.label(row)}: {quantity} in stock."]

    def _low(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        limit = self.low if self.low is not None else 1
        rows = [r for r in store.rows(self.entity.name) if self.quantity(r) < limit]
        return table(self.entity, rows)
