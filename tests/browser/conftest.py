"""A real server on the test database, and a real browser. Runs by `make test-browser` only."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import override_settings
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.live import WebServer
from tests.mail_server import Mailbox, mail_server
from tests.ui.web.conftest import plan_request, running, staff_members  # noqa: F401

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHOTS = Path(settings.BASE_DIR) / "build" / "screenshots"
# What a busy machine may take for one step; an idle one takes a small part of it.
PATIENCE = 20_000
expect.set_options(timeout=PATIENCE)
# Playwright keeps an event loop in this thread, for which Django would refuse the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def mails() -> Iterator[Mailbox]:
    """What the server has sent."""
    with mail_server() as mailbox:
        yield mailbox


@pytest.fixture(scope="session")
def running_server(
    django_db_setup: None, mails: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Where the product serves the test database, from the first test to the last."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = WebServer(
        port,
        DEBUG="1",
        PUBLIC_URL=f"http://127.0.0.1:{port}",
        EMAIL_URL=f"smtp://127.0.0.1:{mails.port}",
        PUSH_KEY_FILE=str(tmp_path_factory.mktemp("keys") / "push.pem"),
    )
    yield server.url
    server.stop()


@pytest.fixture
def server(running_server: str, transactional_db: None) -> str:
    return running_server


class Person:
    """Somebody at a browser. What the console complains about is kept."""

    def __init__(self, page: Page, server: str) -> None:
        self.page, self.server = page, server
        self.complaints: list[str] = []
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _listen(self, message) -> None:
        # A refused decision is a 4xx page, which is what it should be.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def logs_in(self, user: User) -> None:
        self.opens("/admin/")
        self.page.fill("[name=username]", user.username)
        self.page.fill("[name=password]", f"{user.username}-password")
        self.page.click("button[type=submit]")
        self.page.wait_for_url(f"{self.server}/admin/")

    def opens(self, path: str) -> None:
        self.page.goto(self.server + path)

    def shoots(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")


@pytest.fixture
def person(browser: Browser, server: str) -> Iterator[Callable[..., Person]]:
    """Log somebody in by the form. At the end the console must have said nothing."""
    contexts, people = [], []

    def log_in(user: User | None, host: str = "127.0.0.1", **options) -> Person:
        """None: somebody who has no account yet."""
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(PATIENCE)
        people.append(Person(contexts[-1].new_page(), server.replace("127.0.0.1", host)))
        if user is not None:
            _set_password(user)
            people[-1].logs_in(user)
        return people[-1]

    yield log_in
    for context in contexts:
        context.close()
    assert [said for one in people for said in one.complaints] == []


def _set_password(user: User) -> None:
    """Hashed as the server knows it; the tests' own quick hash would be refused there."""
    hashers = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    with override_settings(PASSWORD_HASHERS=hashers):
        user.set_password(f"{user.username}-password")
        user.save(update_fields=["password"])
