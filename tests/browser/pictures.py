"""The pictures of the docs, of projects that the demo model works on. By `make pictures`.

`build/screenshots` gets every page whole, on a desk and in the dark on a phone, to be looked at.
"""

import pytest
from django.conf import settings
from playwright.sync_api import expect

from tests.browser.conftest import SHOTS
from tests.browser.scene import build_scene

PICTURES = settings.BASE_DIR / "docs" / "img"
DESK = {"viewport": {"width": 1280, "height": 860}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DARK = {"color_scheme": "dark"}
# Of each person: the pages that they look at.
OMARS = (
    *("inbox", "clarification", "escalation", "card", "plan", "specification", "results"),
    *("answer", "happened", "standing", "further"),
    *("profile", "statistics", "days", "notifications", "artifact"),
)
# In the docs, beside those that are taken of something that one does on a page.
IN_THE_DOCS = (
    *("projects", "new_project", "project", "members", "policy", "usage", "endpoints", "webhooks"),
    *("clarification", "card", "plan", "specification", "results", "statistics", "profile"),
    *("outbox", "requirements"),
)
IN_THE_DARK = ("card", "project")
ON_A_PHONE = ("inbox", "results")


@pytest.fixture
def scene(transactional_db):
    return build_scene()


def picture(one, name: str, folder=PICTURES, **options) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    one.page.wait_for_load_state("networkidle")
    one.page.screenshot(path=folder / f"{name}.png", **options)


def test_pictures(scene, person):
    everything = tuple(scene.pages)
    for suffix, options, looked_at, shown in (
        ("", DESK, everything, IN_THE_DOCS),
        ("-dark", DESK | DARK, IN_THE_DARK, IN_THE_DARK),
        ("-phone", PHONE, ON_A_PHONE, ON_A_PHONE),
        ("-dark-phone", PHONE | DARK, everything, ()),
    ):
        omar, dana = person(scene.omar, **options), person(scene.dana, **options)
        for name in looked_at:
            one = omar if name in OMARS else dana
            one.opens(scene.pages[name])
            if name in shown:
                picture(one, f"{name}{suffix}")
            picture(one, f"{name}{suffix}", SHOTS, full_page=True)


def test_pictures_of_what_one_does(scene, person):
    one = person(scene.omar, **DESK)
    one.page.keyboard.press("j")
    expect(one.page.locator("#preview h2").first).to_be_visible()
    picture(one, "inbox")
    one.page.get_by_text("Their arguments, complete").click()
    one.page.get_by_text("Their arguments, complete").scroll_into_view_if_needed()
    picture(one, "same-calls")
    one.opens(scene.pages["plan"])
    one.page.keyboard.press("m")
    picture(one, "amend")
    one.opens(scene.pages["card"])
    one.page.keyboard.press("m")
    picture(one, "card-amend")
