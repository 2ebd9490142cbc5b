"""Markdown cut at its headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

from django.utils.text import slugify
from markdown_it import MarkdownIt

TITLE_MAX_CHARACTERS = 300
SLUG_MAX_CHARACTERS = 50
# A text with more headings is no document; it is cut by its length alone. So is one with more
# lines, for which the parser would take long.
HEADINGS_MAX = 400
LINES_MAX = 20_000

# As the parser counts them.
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
# Its last line would pass for a heading that is underlined.
_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(?:[^\n]*\S[^\n]*\n)*?(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)")


@dataclass(frozen=True)
class Passage:
    """A heading with what stands below it, up to the next heading. `names`: from the top down."""

    names: tuple[str, ...]
    title: str
    text: str


def split_markdown(text: str) -> list[Passage]:
    """Passages that together are the text; the first has no heading if text stands before one."""
    headings = list(_headings(text))
    if not headings or len(headings) > HEADINGS_MAX:
        return [Passage((), "", text)] if text else []
    passages = [Passage((), "", text[: headings[0][0]])] if headings[0][0] else []
    above: list[tuple[int, str]] = []
    ends = [start for start, _, _ in headings[1:]] + [len(text)]
    for (start, level, title), end in zip(headings, ends, strict=True):
        above = [outer for outer in above if outer[0] < level] + [(level, slug(title))]
        passages.append(Passage(tuple(name for _, name in above), title, text[start:end]))
    return passages


def _headings(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each heading starts, its level and its words; none inside code, lists or quotes."""
    front = _FRONT_MATTER.match(text)
    body = text[front.end() :] if front else text
    lines = _LINE.findall(body)
    if len(lines) > LINES_MAX:
        return
    starts = list(accumulate(map(len, lines), initial=len(text) - len(body)))
    tokens = _parser().parse(body)
    for token, words in pairwise(tokens):
        if token.type == "heading_open" and token.level == 0:
            title = " ".join(words.content.split())[:TITLE_MAX_CHARACTERS]
            yield starts[token.map[0]], int(token.tag[1]), title


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    """Blocks only: what stands inside a line makes no heading."""
    return MarkdownIt("commonmark").disable("inline")


def slug(words: str) -> str:
    return slugify(words, allow_unicode=True)[:SLUG_MAX_CHARACTERS].strip("-") or "section"
