"""Runs programs that agents wrote. Nobody has read them: they get no network and no secrets."""

from agents.sandbox.run import SandboxResult, run_tests

__all__ = ["SandboxResult", "run_tests"]
