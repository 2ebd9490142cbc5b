"""What one artifact contributes to the assembled document, as Markdown that ends where it ends."""

import hashlib
from typing import Any

from markdown_it.token import Token

from context.markdown import closed, closed_with_tokens, plain
from context.parts.sections import program_files
from context.rendering import render_markdown

PART_MAX_CHARACTERS = 300_000


def part_markdown(artifact_type: str, content: dict[str, Any], limit: int) -> str:
    """The artifact for reading. Of a program the files are listed: they are read as files.

    Beyond `limit` characters it is cut, and says so in a few more.
    """
    text = _program(content) if artifact_type == "source_code" else None
    return _shortened(text or render_markdown(artifact_type, content), limit)


def lowered(markdown: str) -> str:
    """Headings one level down, and nothing left open, so that another part can follow."""
    text, tokens = closed_with_tokens(markdown)
    lines = text.split("\n")
    for token in reversed(tokens):
        if token.type == "heading_open" and token.level == 0:
            _lower(lines, token)
    return "\n".join(lines)


def _lower(lines: list[str], token: Token) -> None:
    start, end = token.map
    mark = "#" * min(6, int(token.tag[1]) + 1)
    if token.markup.startswith("#"):
        lines[start] = f"{mark} {lines[start].lstrip().lstrip('#').lstrip()}"
    else:
        lines[start:end] = [f"{mark} {' '.join(lines[start : end - 1])}"]


def _program(content: dict[str, Any]) -> str | None:
    files = program_files(content)
    if not files:
        return None
    rows = [_row(file) for file in files]
    listed = ["| File | Lines | SHA-256 |", "|---|---|---|", *rows]
    about = render_markdown("source_code", content | {"files": []})
    return f"{about}\n## Files\n\n" + "\n".join(listed) + "\n"


def _row(file: dict[str, Any]) -> str:
    text = file["content"]
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return f"| {plain(file['path'])} | {text.count(chr(10)) + 1} | {digest} |"


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    note = f"(The first {limit:,} of {len(text):,} characters; the export has all.)"
    return f"{closed(text[:limit])}\n{note}\n"
