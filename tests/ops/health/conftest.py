from tests.probes import closed_port, fresh_checks, report, silent_port, stopwatch

__all__ = ["closed_port", "fresh_checks", "report", "silent_port", "stopwatch"]
