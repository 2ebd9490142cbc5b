"""What is wrong with a page for somebody's eyes or hands."""

from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Person

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
# By name: how somebody looks at it.
WAYS = {"laptop": {}, "phone": PHONE, "dark": {"color_scheme": "dark"}}
EXCESS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# All else is the same in the dark.
OF_COLOURS = ("color-contrast", "link-in-text-block")


def faults_of(one: Person, rules: tuple[str, ...] = ()) -> list[str]:
    """Serious faults of accessibility, and whether the page is wider than the window."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": [*rules]} if rules else {})
    found = Axe().run(one.page, options=options).response["violations"]
    grave = [fault["id"] for fault in found if fault["impact"] in {"serious", "critical"}]
    return grave + ["too wide"] * (one.page.evaluate(EXCESS) > 0)
