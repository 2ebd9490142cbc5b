"""What of the store an agent gets to see: chosen by rule, below a budget, and written down."""

from context.assembly.build import Built, Choice, DoesNotFit, build_context
from context.assembly.pieces import Piece, Want, want_of

__all__ = ["Built", "Choice", "DoesNotFit", "Piece", "Want", "build_context", "want_of"]
