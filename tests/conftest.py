import gc
import os

import pytest
from django.conf import settings
from django.test import TransactionTestCase
from hypothesis import settings as examples
from whitenoise.middleware import WhiteNoiseMiddleware

from tests.emptying import empty_tables

pytest_plugins = ["tests.fixtures"]
# They need a browser, more packages or much time, and run by `make test-browser` and its like.
SLOW = {name: f"{name.upper()}_TESTS" for name in ("browser", "stream", "schema", "deploy")}
collect_ignore = [folder for folder, asked in SLOW.items() if not os.environ.get(asked)]

# How long one example takes says something about the machine alone.
examples.register_profile("unhurried", examples(), deadline=None)
examples.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """All that was imported stays: the collector of garbage need not look through it for ever."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _empty_tables_quickly():
    flush = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = empty_tables
    yield
    TransactionTestCase._fixture_teardown = flush


@pytest.fixture(autouse=True, scope="session")
def _hash_passwords_quickly():
    """A good hash is slow by design, and every test makes its cast anew."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True, scope="session")
def _look_for_static_files_once():
    """Each test client loads the middleware, which would look at a thousand files every time."""
    look = WhiteNoiseMiddleware.add_files_from_finders
    found = {}

    def add_files(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            look(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = add_files
    yield
    WhiteNoiseMiddleware.add_files_from_finders = look
