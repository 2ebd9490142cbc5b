"""Whatever a test did: the log of every project is gapless, its chain is whole, and other tables
say what it says."""

from collections.abc import Iterator

import pytest

from audit.installation import INSTALLATION
from audit.models import Stream
from audit.rows import verify_rows
from audit.verification import verify_stream


@pytest.fixture
def whole_logs(db: None) -> Iterator[None]:
    yield
    for project in Stream.objects.values_list("project", flat=True):
        found = verify_stream(project)
        assert found.valid, found
        if project != INSTALLATION:
            assert not verify_rows(project).problems
