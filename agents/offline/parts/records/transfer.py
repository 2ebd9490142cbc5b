"""Write records to a CSV file, and read them from one."""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass

from . import catalogue
from .records import Entity, Problem
from .store import Store


@dataclass(frozen=True)
class Transfer:
    """Records of this kind go to and come from CSV files."""

    entity: Entity

    def add_commands(self, commands: argparse._SubParsersAction) -> None:
        for verb, handler in (("export", self._export), ("import", self._import)):
            command = commands.add_parser(
                f"{verb}-{self.entity.name}", help=f"{verb} {self.entity.plural} as CSV"
            )
            command.add_argument("file", help="path of the CSV file")
            command.set_defaults(run=handler)

    def _export(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        names = [field.name for field in self.entity.fields]
        rows = store.rows(self.entity.name)
        with open(arguments.file, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        return [f"Wrote {len(rows)} {self.entity.plural} to {arguments.file}."]

    def _import(self, store: Store, arguments: argparse.Namespace) -> list[str]:
        try:
            count = self._import_rows(store, arguments.file)
        except (UnicodeError, csv.Error) as error:
            raise Problem(f"cannot read {arguments.file}: {error}") from None
        return [f"Imported {count} {self.entity.plural}."]

    def _import_rows(self, store: Store, path: str) -> int:
        count = 0
        with open(path, encoding="utf-8-sig", newline="") as file:
            for line, row in enumerate(csv.DictReader(file), start=2):
                try:
                    catalogue.add(store, self.entity, {k: v or "" for k, v in row.items() if k})
                except Problem as problem:
                    raise Problem(f"line {line}: {problem}; nothing was imported") from None
                count += 1
        return count
