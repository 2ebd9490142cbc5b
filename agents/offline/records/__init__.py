"""Programs that keep records: their fields, what is done to them, and by which rules."""

from collections.abc import Sequence

from agents.offline.entities import described
from agents.offline.grammar import acts
from agents.offline.records import build

__all__ = ["build", "score"]

_KEEPING = frozenset(
    "add change remove lend give_back done book cancel receive issue track".split()
)


def score(statements: Sequence[str]) -> int:
    """How much the statements speak of keeping records."""
    operations = [act.operation for s in statements for act in acts(s) if act.thing]
    kept = sum(operation in _KEEPING for operation in operations)
    return 2 * kept + len(operations) + sum(3 for s in statements if described(s))
