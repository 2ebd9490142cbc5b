"""What an agent gets to see of the artifacts: chosen by rule within a budget, and recorded."""

from context.assembly.build import Built, Choice, DoesNotFit, build_context
from context.assembly.expansion import check_pinned
from context.assembly.pieces import Piece, Want, want_of

__all__ = [
    "Built",
    "Choice",
    "DoesNotFit",
    "Piece",
    "Want",
    "build_context",
    "check_pinned",
    "want_of",
]
