import pytest

from tests.fixtures import library_of, make_user
from tests.isolation.things import Things


@pytest.fixture
def things(project) -> Things:
    return Things(project)


@pytest.fixture(scope="module")
def things_of_the_module(module_transaction) -> Things:
    return Things(library_of(*map(make_user, ("owner", "approver", "viewer"))))
