"""What is wrong with a page for somebody's eyes or hands."""

from axe_playwright_python.base import AXE_SCRIPT as AXE
from playwright.sync_api import Page

from tests.browser.conftest import Person

LAPTOP, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
PHONE = {"viewport": NARROW, "has_touch": True, "is_mobile": True}
EXCESS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OF_COLOURS = ("color-contrast", "link-in-text-block")
FOLDED = "main details:not(.file)"
UNFOLD = "parts => { for (const part of parts) part.open = true }"
RUN = "options => axe.run(options).then((found) => found.violations)"


def faults_of(one: Person) -> list[str]:
    one.page.evaluate(AXE)
    return faults_on(one.page)


def faults_on(page: Page, *rules: str) -> list[str]:
    """Serious faults of accessibility, and whether the page is wider than the window.

    Where axe is loaded. Each with the first place where it is. Without rules: by all of them.
    """
    options = {"resultTypes": ["violations"]} | ({"runOnly": [*rules]} if rules else {})
    grave = [
        f"{fault['id']}: {fault['nodes'][0]['html'][:200]}"
        for fault in page.evaluate(RUN, options)
        if fault["impact"] in {"serious", "critical"}
    ]
    return grave + ["too wide"] * is_too_wide(page)


def is_too_wide(page: Page) -> bool:
    return page.evaluate(EXCESS) > 0


def faults_of_page(one: Person, name: str) -> dict[str, list[str]]:
    """At both widths, in both colours: but for these all is the same in the dark.

    What is folded is looked at, too, but for a program's files.
    """
    one.page.evaluate(AXE)
    one.page.eval_on_selector_all(FOLDED, UNFOLD)
    found = {}
    for way, size, scheme, rules in (
        ("phone", NARROW, "light", ()),
        ("dark", LAPTOP, "dark", OF_COLOURS),
    ):
        one.page.set_viewport_size(size)
        one.page.emulate_media(color_scheme=scheme)
        if faults := faults_on(one.page, *rules):
            found[f"{name} {way}"] = faults
    return found
