"""Tick things off once a day, and count how many days in a row."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date, timedelta

from .records import Entity, Problem
from .store import Store
from .tables import aligned


@dataclass(frozen=True)
class Tracking:
    """Records of this kind are ticked once a day at most."""

    entity: Entity

    def add_commands(self, commands: argparse._SubParsersAction) -> None:
        tick = commands.add_parser("tick", help=f"tick a {self.entity.name} for today")
        tick.add_argument("number", type=int, help=f"number of the {self.entity.name}")
        tick.set_defaults(run=self._tick)
        streaks = commands.add_parser("streaks", help="days in a row, and days in all")
        streaks.set_defaults(run=self._streaks)

    def days(self, store: Store, number: int) -> set[str]:
        return {row["day"] for row in store.rows("tick") if row["item"] == str(number)}

    def _tick(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        row = store.get(self.entity.name, arguments.number)
        today = arguments.today.isoformat()
        if today in self.days(store, row["id"]):
            raise Problem(f"{self.entity.label(row)} is ticked for {today} already")
        store.insert("tick", {"item": str(row["id"]), "day": today})
        return [f"Ticked {self.entity.label(row)} for {today}."]

    def _streaks(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        rows = [
            [self.entity.label(row), str(streak(days, arguments.today)), str(len(days))]
            for row in store.rows(self.entity.name)
            for days in [self.days(store, row["id"])]
        ]
        return aligned([[self.entity.name, "streak", "days"], *rows])


def streak(days: set[str], today: date) -> int:
    """Days in a row up to today; a day that is not over yet breaks nothing."""
    day = today if today.isoformat() in days else today - timedelta(days=1)
    count = 0
    while day.isoformat() in days:
        count, day = count + 1, day - timedelta(days=1)
    return count
