"""Whatever a test did: the log of every project is gapless, and its chain is whole."""

from collections.abc import Iterator

import pytest

from audit.models import Stream
from audit.verification import verify_stream


@pytest.fixture
def whole_logs(db: None) -> Iterator[None]:
    yield
    for project in Stream.objects.values_list("project", flat=True):
        found = verify_stream(project)
        assert found.valid, found
