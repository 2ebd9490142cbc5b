from tests.probes import closed_port, fresh_checks, nobody_there, silent_port, stopwatch

__all__ = ["closed_port", "fresh_checks", "nobody_there", "silent_port", "stopwatch"]
