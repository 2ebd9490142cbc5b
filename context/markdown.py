"""Markdown of contents, for people.

Everything that is shown as prose was written by people or models, so it is made harmless: it can
neither become HTML nor leave the place in the document where it stands.
"""

import re
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from core.text import one_line

SENTINEL = "paraph-end-of-part"
_SPECIAL = re.compile(r"([\\`*_\[\]#|~])")


def plain(text: Any) -> str:
    """Text in one line that Markdown shows as it is."""
    return (
        _SPECIAL.sub(r"\\\1", one_line(text))
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
    )


def fenced(text: str, language: str = "") -> list[str]:
    """Text as a code block that nothing inside it can close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{re.sub(r'[^a-z0-9+-]', '', language.lower())}", text.rstrip("\n"), fence, ""]


def document_title(content: dict[str, Any], kind: str) -> list[str]:
    return [f"# {kind}: {plain(content['title'])}", ""]


def section(heading: str, lines: list[str]) -> list[str]:
    return [f"## {heading}", "", *lines, ""] if lines else []


def bullets(items: list[Any]) -> list[str]:
    return [f"- {plain(item)}" for item in items]


def table(names: list[str], rows: list[list[Any]]) -> list[str]:
    if not rows:
        return []
    head = [f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"]
    return head + [f"| {' | '.join(plain(cell) for cell in row)} |" for row in rows]


def without_html(markdown: str) -> str:
    """Markdown that a model wrote: formatting kept, HTML shown as text, no picture loaded.

    What is left open in it is closed, so that it cannot hide what follows.
    """
    escaped = re.sub(r"&(?!lt;|gt;|amp;)", "&amp;", markdown)
    return closed(escaped.replace("<", "&lt;").replace("![", "!\\[")).rstrip("\n")


def closed(markdown: str) -> str:
    """An open code block would swallow all that comes after it."""
    return closed_with_tokens(markdown)[0]


def closed_with_tokens(markdown: str) -> tuple[str, list[Token]]:
    """With its tokens, and those of the sentinel that came after it."""
    ended = markdown.rstrip("\n")
    tokens = _parser().parse(f"{ended}\n{SENTINEL}")
    last = tokens[-1]
    is_open = last.type == "fence" and SENTINEL in last.content
    return (f"{ended}\n{last.markup}\n" if is_open else f"{ended}\n"), tokens


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    """For blocks; to look into each for its words takes many times as long."""
    return MarkdownIt("commonmark", {"html": False}).disable(["inline", "text_join"])
