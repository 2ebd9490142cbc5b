import os

import pytest
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase
from hypothesis import settings as examples

pytest_plugins = ["tests.fixtures"]
# They need a browser, more packages or much time, and run by `make test-browser` and its like.
SLOW = {name: f"{name.upper()}_TESTS" for name in ("browser", "stream", "schema", "deploy")}
collect_ignore = [folder for folder, asked in SLOW.items() if not os.environ.get(asked)]

# How long one example takes says something about the machine alone.
examples.register_profile("unhurried", examples(), deadline=None)
examples.load_profile("unhurried")

_flush = TransactionTestCase._fixture_teardown


APPEND_ONLY = ("event_log", "event_streams")


def _flush_past_the_triggers(case: TransactionTestCase) -> None:
    """The append-only tables refuse TRUNCATE, with which Django empties them between tests.

    The owner of a table may switch its triggers off: no superuser is needed.
    """
    databases = [connections[name] for name in case._databases_names(include_mirrors=False)]
    for connection in databases:
        _switch_triggers(connection, "DISABLE")
    try:
        _flush(case)
    finally:
        for connection in databases:
            _switch_triggers(connection, "ENABLE")


def _switch_triggers(connection: BaseDatabaseWrapper, how: str) -> None:
    with connection.cursor() as cursor:
        for table in APPEND_ONLY:
            cursor.execute(f"ALTER TABLE {table} {how} TRIGGER USER")


@pytest.fixture(autouse=True, scope="session")
def _flush_append_only_tables():
    TransactionTestCase._fixture_teardown = _flush_past_the_triggers
    yield
    TransactionTestCase._fixture_teardown = _flush


@pytest.fixture(autouse=True, scope="session")
def _hash_passwords_quickly():
    """A good hash is slow by design, and every test makes its cast anew."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
