import pytest

from tests.isolation.things import Things


@pytest.fixture
def things(project) -> Things:
    return Things(project)
