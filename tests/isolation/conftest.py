from collections.abc import Iterator

import pytest

from tests.audit.live import Daphne
from tests.isolation.things import Things


@pytest.fixture
def things(project) -> Things:
    return Things(project)


@pytest.fixture(scope="session")
def daphne(django_db_setup: None) -> Iterator[Daphne]:
    server = Daphne()
    yield server
    server.stop()
