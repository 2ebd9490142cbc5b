"""Book things for a time, so that no two bookings overlap."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from datetime import date

from .records import Entity, Problem
from .store import Store
from .tables import aligned

_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


@dataclass(frozen=True)
class Booking:
    """The rules of booking. None is no limit."""

    item: Entity
    limit: int | None = None
    minutes_at_most: int | None = None

    def add_commands(self, commands: argparse._SubParsersAction) -> None:
        book = commands.add_parser("book", help=f"book a {self.item.name}")
        book.add_argument("item", type=int, help=f"number of the {self.item.name}")
        book.add_argument("name", help="who books")
        book.add_argument("day", help="date such as 2024-05-31")
        book.add_argument("start", help="time such as 09:00")
        book.add_argument("end", help="time such as 10:30")
        book.set_defaults(run=self._book)
        cancel = commands.add_parser("cancel", help="cancel a booking")
        cancel.add_argument("number", type=int, help="number of the booking")
        cancel.set_defaults(run=self._cancel)
        bookings = commands.add_parser("bookings", help="list the bookings")
        bookings.add_argument("--day", default="", help="only this day")
        bookings.set_defaults(run=self._bookings)

    def standing(self, store: Store) -> list[dict]:
        return [booking for booking in store.rows("booking") if not booking["closed_on"]]

    def _book(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        store.get(self.item.name, arguments.item)
        wanted = self._checked(arguments)
        self._check_rules(store, wanted)
        row = store.insert("booking", wanted)
        return [f"Booking {row['id']}: {self.item.name} {row['item']} on {row['day']}."]

    def _checked(self, arguments: argparse.Namespace) -> dict:
        try:
            day = date.fromisoformat(arguments.day).isoformat()
        except ValueError:
            raise Problem("the day must be a date such as 2024-05-31") from None
        if not (_TIME.fullmatch(arguments.start) and _TIME.fullmatch(arguments.end)):
            raise Problem("times must look like 09:00")
        if arguments.start >= arguments.end:
            raise Problem("the end must be after the start")
        wanted = {"item": str(arguments.item), "name": arguments.name, "day": day}
        return {**wanted, "start": arguments.start, "end": arguments.end, "closed_on": ""}

    def _check_rules(self, store: Store, wanted: dict) -> None:
        length = minutes(wanted["end"]) - minutes(wanted["start"])
        if self.minutes_at_most is not None and length > self.minutes_at_most:
            raise Problem(f"a booking may last at most {self.minutes_at_most} minutes")
        own = [b for b in self.standing(store) if b["name"].lower() == wanted["name"].lower()]
        if self.limit is not None and len(own) >= self.limit:
            raise Problem(f"{wanted['name']} already has {self.limit} bookings")
        for other in self.standing(store):
            if overlap(other, wanted):
                raise Problem(f"already booked from {other['start']} to {other['end']}")

    def _cancel(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        row = store.get("booking", arguments.number)
        if row["closed_on"]:
            raise Problem("this booking was cancelled already")
        row["closed_on"] = arguments.today.isoformat()
        return [f"Cancelled booking {row['id']}."]

    def _bookings(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        rows = [b for b in self.standing(store) if arguments.day in ("", b["day"])]
        if not rows:
            return ["No bookings."]
        rows.sort(key=lambda booking: (booking["day"], booking["start"]))
        names = ["id", "item", "name", "day", "start", "end"]
        return aligned([names, *([str(row[name]) for name in names] for row in rows)])


def minutes(time: str) -> int:
    return int(time[:2]) * 60 + int(time[3:])


def overlap(one: dict, other: dict) -> bool:
    same = one["item"] == other["item"] and one["day"] == other["day"]
    return same and one["start"] < other["end"] and other["start"] < one["end"]
