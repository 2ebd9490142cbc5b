"""A real server on the test database, and a real browser. Runs by `make test-browser` only."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import override_settings
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.live import WebServer
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
def running_server(django_db_setup: None) -> Iterator[str]:
    """Where the product serves the test database, from the first test to the last."""
    server = WebServer(DEBUG="1")
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

    def opens(self, path: str) -> None:
        self.page.goto(self.server + path)

    def shoots(self, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")


@pytest.fixture
def person(browser: Browser, server: str) -> Iterator[Callable[..., Person]]:
    """Log somebody in by the form. At the end the console must have said nothing."""
    contexts, people = [], []

    def log_in(user: User, **options) -> Person:
        _set_password(user)
        contexts.append(browser.new_context(**options))
        contexts[-1].set_default_timeout(PATIENCE)
        one = Person(contexts[-1].new_page(), server)
        one.opens("/admin/")
        one.page.fill("[name=username]", user.username)
        one.page.fill("[name=password]", f"{user.username}-password")
        one.page.click("button[type=submit]")
        one.page.wait_for_url(f"{server}/admin/")
        people.append(one)
        return one

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
