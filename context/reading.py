"""Contents as HTML for reading. Agents wrote them, so nothing in them is trusted.

Markdown is rendered with HTML switched off and then sanitized again; code goes through Pygments,
which escapes it; everything else is escaped. What comes out holds no script and no inline style.
"""

from functools import lru_cache
from typing import Any

import nh3
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import TextLexer, get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

from context.parts.sections import program_files
from context.rendering import render_markdown

HIGHLIGHT_MAX_CHARACTERS = 100_000
TREE_MAX_NODES = 2_000
FILE = (
    '<details class="file"{}><summary>{} <span class="quiet">{} lines</span></summary>{}</details>'
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


def read_content(artifact_type: str, content: dict[str, Any]) -> SafeString:
    """The artifact for a person: a program as files, everything else as a document."""
    if artifact_type == "source_code" and (files := program_files(content)):
        return format_html("{}{}", _about_program(content), source_files(files))
    return read_markdown(render_markdown(artifact_type, content))


def _about_program(content: dict[str, Any]) -> SafeString:
    """The document without the files, which follow in their own form."""
    return read_markdown(render_markdown("source_code", content | {"files": []}))


def source_files(files: list[dict[str, Any]]) -> SafeString:
    """Each file folded; the first open."""
    return format_html_join(
        "",
        FILE,
        (
            (
                mark_safe(" open") if number == 0 else "",
                file["path"],
                file["content"].count("\n") + 1,
                read_code(file["content"], path=file["path"]),
            )
            for number, file in enumerate(files)
        ),
    )


def read_markdown(text: str) -> SafeString:
    """Sanitized HTML. Images are left out: they would tell their server who reads."""
    html = nh3.clean(
        _markdown().render(text),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(html)  # noqa: S308 (sanitized by nh3 in the line above)


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    options = {"html": False, "linkify": False, "highlight": _fence}
    markdown = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    markdown.disable("image")
    markdown.core.ruler.push("fit_the_page", _fit_the_page)
    return markdown


def _fit_the_page(state: Any) -> None:
    """Headings go below the page's own; wide tables scroll, so the keyboard must reach them."""
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + HEADING_SHIFT)}"
        if token.type == "table_open":
            token.attrSet("tabindex", "0")


def _fence(code: str, language: str, attributes: str) -> str:
    return str(_highlighted(code, _lexer(language=language))) if language else escape(code)


def read_code(code: str, *, path: str = "", language: str = "") -> SafeString:
    """A highlighted listing; very long ones as plain text."""
    return format_html(
        '<pre class="code" tabindex="0"><code>{}</code></pre>',
        _highlighted(code, _lexer(path=path, language=language)),
    )


def _highlighted(code: str, lexer: Any) -> SafeString:
    if len(code) > HIGHLIGHT_MAX_CHARACTERS:
        return escape(code)
    return mark_safe(highlight(code, lexer, HtmlFormatter(nowrap=True)))  # noqa: S308 (Pygments escapes)


def _lexer(*, path: str = "", language: str = "") -> Any:
    try:
        if path:
            return get_lexer_for_filename(path, stripnl=False)
        return get_lexer_by_name(language or "text", stripnl=False)
    except ClassNotFound:
        return TextLexer(stripnl=False)


def json_tree(value: Any) -> SafeString:
    """Any JSON as a tree that folds; beyond a limit the rest is only counted."""
    return _Tree().node(value, depth=0)


class _Tree:
    def __init__(self) -> None:
        self.left = TREE_MAX_NODES

    def node(self, value: Any, depth: int) -> SafeString:
        self.left -= 1
        if self.left < 0:
            return mark_safe('<span class="quiet">(not shown)</span>')
        if isinstance(value, dict):
            return self._branch(list(value.items()), "fields", depth)
        if isinstance(value, list):
            return self._branch(list(enumerate(value, start=1)), "items", depth)
        return self._leaf(value)

    def _branch(self, pairs: list[tuple[Any, Any]], noun: str, depth: int) -> SafeString:
        if not pairs:
            return format_html('<span class="quiet">no {}</span>', noun)
        shown = pairs[: max(0, self.left)]
        rows = format_html_join(
            "",
            "<li><span class='key'>{}</span> {}</li>",
            [(key, self.node(value, depth + 1)) for key, value in shown],
        )
        return format_html(
            '<details class="tree"{}><summary>{} {}</summary><ul>{}</ul></details>',
            mark_safe(" open") if depth < 2 else "",
            len(pairs),
            noun,
            rows,
        )

    def _leaf(self, value: Any) -> SafeString:
        if isinstance(value, str):
            return format_html('<span class="text">{}</span>', value)
        words = {None: "none", True: "yes", False: "no"}
        is_word = value is None or isinstance(value, bool)
        return format_html('<span class="value">{}</span>', words[value] if is_word else value)
