import os
from collections.abc import Iterator

import pytest

from tests.live import MortalWebServer, WebServer


@pytest.fixture
def mortal(django_db_setup: None) -> Iterator[MortalWebServer]:
    server = MortalWebServer()
    yield server
    server.server.stop()


@pytest.fixture(scope="session")
def impatient(django_db_setup: None) -> Iterator[WebServer]:
    """A server whose time-outs and limits are short."""
    server = quick_server()
    yield server
    server.stop()


@pytest.fixture
def without_inbox(django_db_setup: None) -> Iterator[WebServer]:
    """A server that no app told what waits for whom."""
    server = quick_server(WITHOUT_INBOX="1")
    yield server
    server.stop()


def quick_server(**environment: str) -> WebServer:
    return WebServer(
        PRODUCT_SETTINGS=os.environ["DJANGO_SETTINGS_MODULE"],
        DJANGO_SETTINGS_MODULE="tests.audit.quick_settings",
        **environment,
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows what the server said."""
    report = yield
    servers = [one for one in getattr(item, "funcargs", {}).values() if isinstance(one, WebServer)]
    if report.failed:
        report.sections += [("server", server.output()[-5000:]) for server in servers]
    return report
