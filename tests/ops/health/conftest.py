import pytest

from tests.live import empty_queues
from tests.probes import closed_port, fresh_checks, report, silent_port, stopwatch

__all__ = ["closed_port", "fresh_checks", "report", "silent_port", "stopwatch"]


@pytest.fixture(autouse=True)
def _nothing_waits():
    """No message of another test, which nobody takes."""
    empty_queues()
