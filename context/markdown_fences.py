"""Markdown that ends where it ends, so that something else can follow."""

from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

SENTINEL = "paraph-end-of-part"


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
