"""Records as a table for the terminal."""

from __future__ import annotations

from .records import Entity


def table(entity: Entity, rows: list[dict]) -> list[str]:
    """A header and one line a record, or a sentence if there is none."""
    if not rows:
        return [f"No {entity.plural}."]
    names = ["id", *(field.name for field in entity.fields)]
    return aligned([names, *([str(row.get(name, "")) for name in names] for row in rows)])


def aligned(cells: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
