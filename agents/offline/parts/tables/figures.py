"""Work out the figures of the report."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal

from .reading import Row
from .sections import Section

CENT = Decimal("0.01")


def figures(section: Section, rows: Iterable[Row]) -> list[tuple[str, str]]:
    """The figure of each group, in order of the group or of size."""
    groups: dict[str, list[Decimal]] = {}
    for row in rows:
        number = row.values[section.column] if section.column else Decimal(1)
        groups.setdefault(group_of(section.by, row), []).append(number)
    found = [(name, figure(section.figure, numbers)) for name, numbers in groups.items()]
    if section.largest_first:
        found.sort(key=lambda pair: (-pair[1], pair[0]))
    else:
        found.sort()
    return [(name, str(number)) for name, number in found]


def group_of(by: str, row: Row) -> str:
    if by in ("month", "year"):
        days = [value for value in row.values.values() if hasattr(value, "isoformat")]
        return days[0].isoformat()[: 7 if by == "month" else 4]
    return str(row.values.get(by, "")) or "(none)" if by else "all"


def figure(name: str, numbers: list[Decimal]) -> Decimal:
    if name == "count":
        return Decimal(len(numbers))
    if name == "largest":
        return max(numbers)
    if name == "smallest":
        return min(numbers)
    total = sum(numbers, Decimal(0))
    result = total / len(numbers) if name == "average" else total
    return result.quantize(CENT, ROUND_HALF_UP)


def top(rows: Iterable[Row], column: str, count: int) -> list[Row]:
    """The rows with the largest amounts, whatever their sign."""
    return sorted(rows, key=lambda row: (-abs(row.values[column]), row.line))[:count]


def above(rows: Iterable[Row], column: str, limit: Decimal) -> list[Row]:
    return [row for row in rows if abs(row.values[column]) > limit]
