from collections.abc import Iterator

import pytest

from tests.audit.live import Daphne


@pytest.fixture(scope="session")
def daphne(django_db_setup: None) -> Iterator[Daphne]:
    server = Daphne()
    yield server
    server.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the server said."""
    report = yield
    server = getattr(item, "funcargs", {}).get("daphne")
    if report.failed and server is not None:
        report.sections.append(("server", server.output()[-5000:]))
    return report


@pytest.fixture(autouse=True)
def _quick_passwords(settings) -> None:
    """A hash that is slow on purpose, for each of the cast, is most of such a test's time."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
