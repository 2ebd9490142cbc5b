"""Markdown and code as HTML. Agents wrote them, so nothing in them is trusted.

Markdown is rendered with HTML switched off and then sanitized again; code goes through Pygments,
which escapes it. What comes out holds no script and no inline style.
"""

import re
from functools import lru_cache
from typing import Any

import nh3
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

from core.text import escaped, visible

# In one file, and in all code blocks of a text: it takes 7 us a character.
HIGHLIGHT_MAX_CHARACTERS = 100_000
# To lay out a sign of Markdown takes 25 us, a line twice as much: a page of it must not take long.
MAX_SIGNS = 60_000
_SIGNS = re.compile(r"[*_~`\[\]!<&|\\]")
SOURCE = (
    "<p><em>(Of too many small pieces to be laid out; this is its source.)</em></p>"
    '<pre><code class="language-text">{}</code></pre>'
)
TAGS = {
    *("h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "em", "strong", "s", "a"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "pre", "code", "span"),
}
ATTRIBUTES = {
    "a": {"href", "title"},
    "span": {"class"},
    "code": {"class"},
    "ol": {"start"},
    "table": {"tabindex"},
}
# The document stands below the page's own headings.
HEADING_SHIFT = 2


def read_markdown(text: str) -> SafeString:
    """Sanitized HTML. Images are left out: they would tell their server who reads."""
    text = visible(text)
    if len(_SIGNS.findall(text)) + 2 * text.count("\n") > MAX_SIGNS:
        return format_html(SOURCE, text)
    html = nh3.clean(
        _markdown().render(text),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    # Markdown can write a character as an entity, so the source alone is not enough.
    return mark_safe(escaped(html))  # noqa: S308 (sanitized by nh3 in the line above)


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    options = {"html": False, "linkify": False, "highlight": _fence}
    markdown = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    markdown.disable("image")
    markdown.core.ruler.push("adapt_to_page", _adapt_to_page)
    return markdown


def _adapt_to_page(state: Any) -> None:
    """Headings go below the page's own; wide tables scroll, so the keyboard must reach them.

    Code beyond what can be highlighted stays plain.
    """
    code = 0
    for token in state.tokens:
        if token.type == "fence":
            code += len(token.content)
            token.info = token.info if code <= HIGHLIGHT_MAX_CHARACTERS else ""
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + HEADING_SHIFT)}"
        if token.type == "table_open":
            token.attrSet("tabindex", "0")


def _fence(code: str, language: str, attributes: str) -> str:
    return str(highlighted(code, lexer_for(language=language))) if language else escape(code)


def highlighted(code: str, lexer: Any) -> SafeString:
    code = visible(code)
    if len(code) > HIGHLIGHT_MAX_CHARACTERS:
        return escape(code)
    return mark_safe(highlight(code, lexer, HtmlFormatter(nowrap=True)))  # noqa: S308 (Pygments escapes)


def lexer_for(*, path: str = "", language: str = "") -> Any:
    try:
        if path:
            return get_lexer_for_filename(path, stripnl=False)
        return get_lexer_by_name(language or "text", stripnl=False)
    except ClassNotFound:
        return TextLexer(stripnl=False)
