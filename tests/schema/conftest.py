from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from tests.isolation.things import Things
from tests.live import token_of


@pytest.fixture
def things(project) -> Things:
    return Things(project)


@pytest.fixture
def logins(owner, viewer, outsider) -> dict[str, dict[str, str]]:
    return logins_of(owner, viewer, outsider)


def logins_of(*users: User) -> dict[str, dict[str, str]]:
    """The headers of each who may ask, and of nobody."""
    tokens = {user.username: token_of(user) for user in users}
    return {"nobody": {}} | {
        name: {"Authorization": f"Token {token}"} for name, token in tokens.items()
    }


@pytest.fixture(autouse=True)
def _keep_the_connection() -> Iterator[None]:
    """Its transaction is that of the test; as Django's own client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
