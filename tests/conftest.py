import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from django.core import management
from django.db import connections
from django.test import TransactionTestCase
from hypothesis import settings as hypothesis_settings
from psycopg._preparing import PrepareManager

from core.database import as_owner
from projects.agent_types import agent_types
from tests.databases import close_administrators, grant_only

pytest_plugins = ["tests.fixtures", "tests.scheduler"]
# They need a browser, more packages or much time, and run by `make test-browser` and its like.
SLOW = {
    name: f"{name.upper()}_TESTS"
    for name in ("browser", "stream", "schema", "deploy", "clients", "tiny")
}
collect_ignore = [folder for folder, variable in SLOW.items() if not os.environ.get(variable)]

ADMINISTRATOR = pytest.StashKey[ExitStack]()

# How long one example takes says something about the machine alone. Each run has others; many at
# once are for who changes the thing: make test TESTS='tests/context --hypothesis-profile=thorough'
hypothesis_settings.register_profile("ordinary", deadline=None, max_examples=20)
hypothesis_settings.register_profile("thorough", deadline=None, max_examples=1000)
hypothesis_settings.load_profile("ordinary")


def pytest_collection_finish() -> None:
    """What was loaded stays: looking through it again and again was a tenth of the time."""
    gc.freeze()
    gc.set_threshold(500_000, 20, 100)


@pytest.fixture(autouse=True, scope="session")
def _children_have_the_settings_of_the_product():
    """Django has loaded `tests.settings` here; servers and commands under test have their own."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "orchestrator.settings"


@pytest.fixture(autouse=True, scope="session")
def _statements_stay_prepared():
    """psycopg drops all of them with each rollback, for what they name may be gone with it; each
    test ends with one, and makes no tables."""
    should_discard = PrepareManager._should_discard

    def is_more_than_a_rollback(self, prep, results):
        others = [one for one in results if one.command_status != b"ROLLBACK"]
        return should_discard(self, prep, others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PrepareManager, "_should_discard", is_more_than_a_rollback)
        patch.setattr(PrepareManager, "prepared_max", 1000)
        yield


@pytest.fixture(autouse=True, scope="session")
def _connections_stay_open():
    """Django opens one anew after each test with `transaction=True`: a tenth of its time."""

    def is_any_in_disorder(self):
        used = connections.all(initialized_only=True)
        return any(one.in_atomic_block or not one.is_usable() for one in used)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_should_reload_connections", is_any_in_disorder)
        yield


@pytest.fixture(autouse=True)
def _no_silence_of_another_test(monkeypatch):
    """After a lost message a process leaves the broker alone for a while: until the test ends."""
    monkeypatch.setattr("agents.queue._silent_until", 0.0)


@pytest.fixture(autouse=True)
def _no_agents_of_another_test():
    """What this process knows of agent types outlives the rows of a test."""
    yield
    known, shipped = agent_types._items, agent_types._shipped
    if known.keys() - shipped.keys():
        agent_types._items = {name: role for name, role in known.items() if name in shipped}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None,
) -> Iterator[ExitStack]:
    """The owner makes the database of the tests, and migrates it where it is no copy."""
    with ExitStack() as owner:
        owner.enter_context(as_owner())
        if os.environ.get("TESTS_TEMPLATE"):
            # To find that there is nothing to migrate takes seconds in each process.
            patch = owner.enter_context(pytest.MonkeyPatch.context())
            patch.setattr(management, "call_command", grant_only)
        yield owner


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None, django_db_modify_db_settings: ExitStack
) -> Iterator[None]:
    """The tests run as the application; at the end the owner takes the database away."""
    owner = django_db_modify_db_settings
    owner.close()
    yield
    close_administrators()
    owner.enter_context(as_owner())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """With the mark `administrator` a test is the owner of the tables, who may cheat."""
    if item.get_closest_marker("administrator"):
        item.stash[ADMINISTRATOR] = ExitStack()
        item.stash[ADMINISTRATOR].enter_context(as_owner())


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    if administrator := item.stash.get(ADMINISTRATOR, None):
        administrator.close()
