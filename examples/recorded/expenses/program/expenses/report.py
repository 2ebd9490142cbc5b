"""Adds the movements up, and writes the report."""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

LARGEST = 5
LARGE = Decimal(300)


def chosen(movements, month="", category=""):
    """The movements of one month, or of one category; all if neither is named."""
    return [
        one
        for one in movements
        if month in ("", one.month) and category.casefold() in ("", one.category.casefold())
    ]


def amounts_by(movements, key):
    """The amounts of each category or month, sorted by its name."""
    groups = defaultdict(list)
    for one in movements:
        groups[getattr(one, key)].append(one.amount)
    return dict(sorted(groups.items()))


def write_report(movements, left_out, doubles):
    """The lines of the report."""
    by_category = amounts_by(movements, "category")
    by_month = amounts_by(movements, "month")
    largest = sorted(movements, key=lambda one: (-one.amount, one.day))[:LARGEST]
    large = [one for one in movements if one.amount > LARGE]
    lines = _section("Total by category", [(name, sum(a)) for name, a in by_category.items()])
    lines += _section("Total by month", [(name, sum(a)) for name, a in by_month.items()])
    averages = [(name, sum(a) / len(a)) for name, a in by_category.items()]
    lines += _section("Average by category", averages)
    lines += ["Rows by category", *(f"  {name}: {len(a)}" for name, a in by_category.items()), ""]
    lines += _section(f"The {LARGEST} largest amounts", [_named(one) for one in largest])
    lines += _section(f"Amounts above {LARGE}", [_named(one) for one in large])
    if doubles:
        lines += [f"Rows that were in the file twice, counted once: {doubles}", ""]
    if left_out:
        lines += ["Rows left out", *(f"  line {line}: {why}" for line, why in left_out), ""]
    return [*lines, f"Total: {_money(sum((one.amount for one in movements), Decimal()))}"]


def _named(one):
    return f"{one.day} {one.description} ({one.category})", one.amount


def _section(title, rows):
    return [title, *(f"  {name}: {_money(amount)}" for name, amount in rows or []), ""]


def _money(amount):
    return f"{Decimal(amount).quantize(Decimal('0.01'), ROUND_HALF_UP)}"
