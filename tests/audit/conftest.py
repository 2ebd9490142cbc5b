import os
from collections.abc import Iterator

import pytest

from tests.audit.live import Daphne, MortalDaphne


@pytest.fixture
def mortal(django_db_setup: None) -> Iterator[MortalDaphne]:
    server = MortalDaphne()
    yield server
    server.server.stop()


@pytest.fixture(scope="session")
def impatient(django_db_setup: None) -> Iterator[Daphne]:
    """A server whose time-outs and limits are short."""
    server = quick_daphne()
    yield server
    server.stop()


@pytest.fixture
def without_inbox(django_db_setup: None) -> Iterator[Daphne]:
    """A server that no app told what waits for whom."""
    server = quick_daphne(WITHOUT_INBOX="1")
    yield server
    server.stop()


def quick_daphne(**environment: str) -> Daphne:
    return Daphne(
        PRODUCT_SETTINGS=os.environ["DJANGO_SETTINGS_MODULE"],
        DJANGO_SETTINGS_MODULE="tests.audit.quick_settings",
        **environment,
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the server said."""
    report = yield
    servers = [one for one in getattr(item, "funcargs", {}).values() if isinstance(one, Daphne)]
    if report.failed:
        report.sections += [("server", server.output()[-5000:]) for server in servers]
    return report
