"""All records in one JSON file."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .records import Problem


class Store:
    """Records by kind. Nothing reaches the file before `save`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tables: dict[str, list[dict]] = self._load()

    def rows(self, kind: str) -> list[dict]:
        return self.tables.setdefault(kind, [])

    def insert(self, kind: str, values: dict) -> dict:
        rows = self.rows(kind)
        row = {"id": max((row["id"] for row in rows), default=0) + 1, **values}
        rows.append(row)
        return row

    def get(self, kind: str, number: int) -> dict:
        """The record with this number. Raises Problem."""
        for row in self.rows(kind):
            if row["id"] == number:
                return row
        raise Problem(f"there is no {kind} with number {number}")

    def save(self) -> None:
        """Write all or nothing: a broken write leaves the old file as it was."""
        draft = self.path.with_name(self.path.name + ".new")
        draft.write_text(json.dumps(self.tables, indent=2, ensure_ascii=False), encoding="utf-8")
        os.replace(draft, self.path)

    def _load(self) -> dict[str, list[dict]]:
        if not self.path.exists():
            return {}
        try:
            return json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Problem(f"cannot read {self.path}: {error}") from None
