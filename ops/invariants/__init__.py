"""What must hold whatever has happened: from the database and what clients wrote down."""

from ops.invariants.run import check
from ops.invariants.violation import Violation

__all__ = ["Violation", "check"]
