from collections.abc import Iterator

import pytest

from tests.end_to_end.conftest import start_worker
from tests.live import WebServer

__all__ = ["start_worker"]


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[WebServer]:
    """Writes JSON lines."""
    running = WebServer(LOG_FORMAT="json")
    yield running
    running.stop()
