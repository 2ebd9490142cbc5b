"""Programs that calculate by rules with numbers."""

import re
from collections.abc import Sequence

from agents.offline.calculation import build
from agents.offline.calculation.grammar import rules_in

__all__ = ["build", "score"]

_SUBJECT = re.compile(
    r"\b(?:calculat\w*|price|quote|tariff|fee|surcharge|discount|rules?)\b", re.IGNORECASE
)


def score(statements: Sequence[str]) -> int:
    """How much the statements speak of calculating; one lonely rule is not enough."""
    ruled = sum(bool(rules_in(statement)) for statement in statements)
    if ruled < 2:
        return 0
    return 5 * ruled + sum(bool(_SUBJECT.search(statement)) for statement in statements)
