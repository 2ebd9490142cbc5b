"""What of the store an agent gets to see: chosen by rule, below a budget, and written down."""

from context.injection.building import Built, build_context
from context.injection.fitting import Choice, DoesNotFit
from context.injection.pieces import Piece
from context.injection.wants import Want, want_of

__all__ = ["Built", "Choice", "DoesNotFit", "Piece", "Want", "build_context", "want_of"]
