"""Programs that read a table, check it and report on it."""

import re
from collections.abc import Sequence

from agents.offline.tables import build
from agents.offline.tables.grammar import columns_in, speaks_of_tables

__all__ = ["build", "score"]

_INPUT = re.compile(
    r"\b(?:read|reads|load|takes?|open|give|from|in|of|einlesen|liest)\b[^.]{0,60}\b(?:csv|"
    r"spreadsheet|export)|\bcsv file|"
    r"\bbank export|\bcsv-datei",
    re.IGNORECASE,
)
_REPORT = re.compile(
    r"\b(?:report|totals?|sums?|average|rows?|columns?|clean\w*|duplicat\w*|statistics)\b",
    re.IGNORECASE,
)


def score(statements: Sequence[str]) -> int:
    """How much the statements speak of reading a table; without an input there is none."""
    if not any(_INPUT.search(s) or columns_in(s) for s in statements):
        return 0
    listed = sum(6 for s in statements if columns_in(s))
    rows = sum(3 for s in statements if speaks_of_tables(s))
    return listed + rows + sum(2 for s in statements if _REPORT.search(s))
