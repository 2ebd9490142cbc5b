from collections.abc import Iterator

import pytest

from tests.audit.live import Daphne
from tests.end_to_end.conftest import start_worker

__all__ = ["start_worker"]


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[Daphne]:
    """Writes JSON lines."""
    running = Daphne(LOG_FORMAT="json")
    yield running
    running.stop()
