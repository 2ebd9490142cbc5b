"""Lend things to people, and take them back."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date, timedelta

from .records import Entity, Problem
from .store import Store
from .tables import aligned


@dataclass(frozen=True)
class Lending:
    """The rules of lending. None is no limit."""

    item: Entity
    holder: Entity
    days: int | None = None
    limit: int | None = None
    blocked_while_overdue: bool = False
    fee_cents_per_day: int = 0

    def add_commands(self, commands: argparse._SubParsersAction) -> None:
        lend = commands.add_parser("lend", help=f"lend a {self.item.name} to a {self.holder.name}")
        lend.add_argument("item", type=int, help=f"number of the {self.item.name}")
        lend.add_argument("holder", type=int, help=f"number of the {self.holder.name}")
        lend.set_defaults(run=self._lend)
        back = commands.add_parser("return", help=f"take a {self.item.name} back")
        back.add_argument("item", type=int, help=f"number of the {self.item.name}")
        back.set_defaults(run=self._return)
        loans = commands.add_parser("loans", help="what is lent to whom")
        loans.add_argument("--holder", type=int, help=f"only this {self.holder.name}")
        loans.add_argument("--all", action="store_true", help="also what came back")
        loans.set_defaults(run=self._loans)
        overdue = commands.add_parser("overdue", help="what should have come back")
        overdue.set_defaults(run=self._overdue)

    def open_loans(self, store: Store) -> list[dict]:
        return [loan for loan in store.rows("loan") if not loan["closed_on"]]

    def lend(self, store: Store, item: int, holder: int, today: date) -> dict:
        """Raises Problem if a rule forbids it."""
        store.get(self.item.name, item)
        store.get(self.holder.name, holder)
        held = [loan for loan in self.open_loans(store) if loan["holder"] == str(holder)]
        if any(loan["item"] == str(item) for loan in self.open_loans(store)):
            raise Problem(f"this {self.item.name} is already lent")
        if self.limit is not None and len(held) >= self.limit:
            raise Problem(f"this {self.holder.name} already has {self.limit} {self.item.plural}")
        if self.blocked_while_overdue and any(is_overdue(loan, today) for loan in held):
            raise Problem(f"this {self.holder.name} has something overdue")
        due = (today + timedelta(days=self.days)).isoformat() if self.days is not None else ""
        values = {"item": str(item), "holder": str(holder), "lent_on": today.isoformat()}
        return store.insert("loan", {**values, "due_on": due, "closed_on": ""})

    def take_back(self, store: Store, item: int, today: date) -> dict:
        """Raises Problem if it is not lent."""
        for loan in self.open_loans(store):
            if loan["item"] == str(item):
                loan["closed_on"] = today.isoformat()
                return loan
        raise Problem(f"this {self.item.name} is not lent")

    def fee_cents(self, loan: dict, today: date) -> int:
        if not is_overdue({**loan, "closed_on": ""}, today):
            return 0
        return (today - date.fromisoformat(loan["due_on"])).days * self.fee_cents_per_day

    def _lend(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        loan = self.lend(store, arguments.item, arguments.holder, arguments.today)
        until = f", due back on {loan['due_on']}" if loan["due_on"] else ""
        return [
            f"Lent {self.item.name} {loan['item']} to {self.holder.name} {loan['holder']}{until}."
        ]

    def _return(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        loan = self.take_back(store, arguments.item, arguments.today)
        cents = self.fee_cents(loan, arguments.today)
        fee = f" Fee: {cents // 100}.{cents % 100:02}." if cents else ""
        return [f"{self.item.name.capitalize()} {loan['item']} is back.{fee}"]

    def _loans(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        loans = store.rows("loan") if arguments.all else self.open_loans(store)
        if arguments.holder is not None:
            loans = [loan for loan in loans if loan["holder"] == str(arguments.holder)]
        return self._shown(store, loans) if loans else ["No loans."]

    def _overdue(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        late = [loan for loan in self.open_loans(store) if is_overdue(loan, arguments.today)]
        return self._shown(store, late) if late else ["Nothing is overdue."]

    def _shown(self, store: Store, loans: list[dict]) -> list[str]:
        head = [self.item.name, self.holder.name, "lent on", "due on", "back on"]
        return aligned([head, *(self._cells(store, loan) for loan in loans)])

    def _cells(self, store: Store, loan: dict) -> list[str]:
        names = {entity.name: {row["id"]: entity.label(row) for row in store.rows(entity.name)}
                 for entity in (self.item, self.holder)}  # fmt: skip
        item = names[self.item.name].get(int(loan["item"]), f"{self.item.name} {loan['item']}")
        holder = names[self.holder.name].get(int(loan["holder"]), f"number {loan['holder']}")
        return [item, holder, loan["lent_on"], loan["due_on"], loan["closed_on"]]


def is_overdue(loan: dict, today: date) -> bool:
    return bool(loan["due_on"]) and not loan["closed_on"] and loan["due_on"] < today.isoformat()
