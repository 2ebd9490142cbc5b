"""What must hold whatever has happened, by the database and by what clients wrote down."""

from ops.invariants.rows import Violation
from ops.invariants.run import check

__all__ = ["Violation", "check"]
