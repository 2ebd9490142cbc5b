"""Artifact contents as HTML for reading. Agents wrote them, so nothing in them is trusted."""

import hashlib
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from context.enums import Form
from context.html import highlighted, lexer_for, read_markdown
from context.models import Concept, ContextBuild, Section
from context.parts.sections import program_files
from context.rendering import render_markdown
from core.text import one_line, visible
from ui.wording import counted

TREE_MAX_NODES = 2_000
# Of a program; it takes 7 us a character.
FILES_HIGHLIGHTED_CHARACTERS = 300_000
FILE = '<details class="file"{}><summary>{} <span class="quiet">{}</span></summary>{}</details>'


def content_html(artifact_type: str, content: dict[str, Any]) -> SafeString:
    """The artifact for a person: a program as files, everything else as a document."""
    if artifact_type == "source_code" and (files := program_files(content)):
        about = read_markdown(render_markdown("source_code", content | {"files": []}))
        return format_html("{}{}", about, source_files(files))
    return read_markdown(render_markdown(artifact_type, content))


def source_files(files: list[dict[str, Any]]) -> SafeString:
    """Each file folded; the first open. Beyond what can be highlighted at once they are plain."""
    rows, left = [], FILES_HIGHLIGHTED_CHARACTERS
    for number, file in enumerate(files):
        is_open = mark_safe(" open") if number == 0 else ""
        lines = counted(file["content"].count("\n") + 1, "line")
        left -= len(file["content"])
        code = code_html(file["content"], path=file["path"] if left >= 0 else "")
        rows.append((is_open, one_line(file["path"]), lines, code))
    return format_html_join("", FILE, rows)


def code_html(code: str, *, path: str = "", language: str = "") -> SafeString:
    """A highlighted listing; very long ones as plain text."""
    return format_html(
        '<pre class="code" tabindex="0"><code>{}</code></pre>',
        highlighted(code, lexer_for(path=path, language=language)),
    )


def json_tree(value: Any, *, open_levels: int = 2) -> SafeString:
    """Any JSON as a tree that folds; beyond a limit the rest is only counted."""
    return _Tree(open_levels).node(value, depth=0)


class _Tree:
    def __init__(self, open_levels: int) -> None:
        self.left = TREE_MAX_NODES
        self.open_levels = open_levels

    def node(self, value: Any, depth: int) -> SafeString:
        self.left -= 1
        if self.left < 0:
            return mark_safe('<span class="quiet">(not shown)</span>')
        if isinstance(value, dict):
            return self._branch(list(value.items()), "field", depth)
        if isinstance(value, list):
            return self._branch(list(enumerate(value, start=1)), "item", depth)
        return self._leaf(value)

    def _branch(self, pairs: list[tuple[Any, Any]], noun: str, depth: int) -> SafeString:
        if not pairs:
            return format_html('<span class="quiet">no {}s</span>', noun)
        shown = pairs[: max(0, self.left)]
        rows = format_html_join(
            "",
            "<li><span class='key'>{}</span> {}</li>",
            [(visible(key), self.node(value, depth + 1)) for key, value in shown],
        )
        return format_html(
            '<details class="tree"{}><summary>{}</summary><ul>{}</ul></details>',
            mark_safe(" open") if depth < self.open_levels else "",
            counted(len(pairs), noun),
            rows,
        )

    def _leaf(self, value: Any) -> SafeString:
        if isinstance(value, str):
            return format_html('<span class="text">{}</span>', visible(value))
        words = {None: "none", True: "yes", False: "no"}
        is_word = value is None or isinstance(value, bool)
        return format_html('<span class="value">{}</span>', words[value] if is_word else value)


def build_items(build: ContextBuild) -> list[dict[str, Any]]:
    """What an agent was given, each with its `text` where a part was given in full or summed up."""
    parts = [item for item in build.items if item["part"] and item["form"] == Form.FULL]
    texts = _part_texts(Concept, "identifier", parts) | _part_texts(Section, "path", parts)
    # By their hash, so that nothing but what was given can be shown.
    return [
        item | {"text": item.get("text") or texts.get(item["sha256"], "")} for item in build.items
    ]


def _part_texts(model: Any, key: str, parts: list[dict[str, Any]]) -> dict[str, str]:
    rows = model.objects.filter(
        version__artifact__in={part["artifact"] for part in parts},
        version__number__in={part["version"] for part in parts},
        **{f"{key}__in": {part["part"] for part in parts}},
    )
    texts = rows.values_list("body__text", flat=True).distinct().order_by()
    return {hashlib.sha256(text.encode()).hexdigest(): text for text in texts}
