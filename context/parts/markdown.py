"""Markdown cut at its headings."""

import re
from dataclasses import dataclass

from django.utils.text import slugify

TITLE_MAX_CHARACTERS = 300
SLUG_MAX_CHARACTERS = 50
# A text with more headings is no document; it is cut by its length alone.
HEADINGS_MAX = 400

_MARK = re.compile(r"^ {0,3}(#{1,6}(?=[ \t\n]|\Z)|`{3,}|~{3,})([^\n]*)", re.MULTILINE)


@dataclass(frozen=True)
class Passage:
    """A heading with what stands below it, up to the next heading. `names`: from the top down."""

    names: tuple[str, ...]
    title: str
    text: str


def split_markdown(text: str) -> list[Passage]:
    """Passages that together are the text; the first has no heading if text stands before one."""
    headings = _headings(text)
    if not headings or len(headings) > HEADINGS_MAX:
        return [Passage((), "", text)] if text else []
    passages = [Passage((), "", text[: headings[0][0]])] if headings[0][0] else []
    above: list[tuple[int, str]] = []
    for (start, level, title), end in zip(headings, _ends(headings, text), strict=True):
        above = [one for one in above if one[0] < level] + [(level, slug(title))]
        passages.append(Passage(tuple(name for _, name in above), title, text[start:end]))
    return passages


def _ends(headings: list[tuple[int, int, str]], text: str) -> list[int]:
    return [start for start, _, _ in headings[1:]] + [len(text)]


def _headings(text: str) -> list[tuple[int, int, str]]:
    """Where each heading starts, its level and its words; none of those inside code blocks."""
    found, fence = [], ""
    for match in _MARK.finditer(text):
        mark, rest = match[1], match[2].strip()
        if fence:
            if mark.startswith(fence) and not rest:
                fence = ""
        elif mark[0] == "#":
            title = rest.rstrip("#").rstrip() if rest.endswith("#") else rest
            found.append((match.start(), len(mark), title[:TITLE_MAX_CHARACTERS]))
        elif mark[0] == "~" or "`" not in rest:
            fence = mark
    return found


def slug(words: str) -> str:
    return slugify(words, allow_unicode=True)[:SLUG_MAX_CHARACTERS].strip("-") or "section"
