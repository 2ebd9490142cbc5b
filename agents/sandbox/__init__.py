"""Runs programs that agents wrote. Nobody has read them: they get no network and no secrets."""

from agents.sandbox.run import (
    Leftovers,
    ProgramResult,
    TestRecord,
    TestsResult,
    run_program,
    run_tests,
)

__all__ = [
    "Leftovers",
    "ProgramResult",
    "TestRecord",
    "TestsResult",
    "run_program",
    "run_tests",
]
