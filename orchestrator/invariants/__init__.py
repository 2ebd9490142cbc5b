"""What must hold whatever has happened: from the database and what clients wrote down."""

from orchestrator.invariants.checking import check
from orchestrator.invariants.violation import Violation

__all__ = ["Violation", "check"]
