"""Artifact contents as Markdown for people, and as files for the export."""

import hashlib
import json

from context.artifact_types import Values, artifact_types
from context.markdown import closed, closed_with_tokens, fenced, plain, section, table
from context.parts.sections import program_files
from core.text import visible

PART_MAX_CHARACTERS = 300_000


def render_markdown(artifact_type: str, content: Values) -> str:
    """The content as a Markdown document; as JSON where its type is unknown or its schema older."""
    try:
        lines = artifact_types[artifact_type].render(content)
        # What most contents have: gaps, answers and what became of comments.
        reasons: dict[str, list[str]] = {}
        for item in content.get("not_covered") or []:
            reasons.setdefault(item["reason"], []).append(item["requirement"])
        missing = [[", ".join(ids), reason] for reason, ids in reasons.items()]
        answers = [
            f"- {plain(' / '.join(c['questions'])) or 'Remark'}: {plain(c['answer'])}"
            for c in content.get("clarifications") or []
        ]
        notes = [
            f"- {plain(n['comment'])} ({'honoured' if n['honoured'] else 'not honoured'}: "
            f"{plain(n['response'])})"
            for n in content.get("feedback") or []
        ]
        lines = [
            *lines,
            *section("Not covered", table(["Requirements", "Reason"], missing)),
            *section("Answers taken into account", answers),
            *section("What became of comments", notes),
        ]
    except (AttributeError, KeyError, TypeError):
        # Versions are kept for good, so one may be older than its schema.
        lines = fenced(json.dumps(content, indent=2, ensure_ascii=False), "json")
    return visible("\n".join(lines)).rstrip() + "\n"


def as_files(artifact_type: str, content: Values) -> dict[str, bytes | str]:
    """The content as files by relative path: real source files, else Markdown and JSON."""
    files: dict[str, bytes | str] = {
        f"{artifact_type}.md": render_markdown(artifact_type, content),
        f"{artifact_type}.json": json.dumps(content, indent=2, ensure_ascii=False) + "\n",
    }
    try:
        return files | artifact_types[artifact_type].files(content)
    except (AttributeError, KeyError, TypeError):
        return files


def part_markdown(artifact_type: str, content: Values, limit: int) -> str:
    """The artifact as a part of a printed document. Source files are only listed.

    It is cut after `limit` characters, with a note that says so.
    """
    files = program_files(content) if artifact_type == "source_code" else []
    if files:
        text = render_markdown(artifact_type, content | {"files": []}) + "\n## Files\n\n"
        text += "| File | Lines | SHA-256 |\n|---|---|---|\n"
        for file in files:
            code = file["content"]
            digest = hashlib.sha256(code.encode(errors="replace")).hexdigest()
            text += f"| {plain(file['path'])} | {code.count(chr(10)) + 1} | {digest} |\n"
    else:
        text = render_markdown(artifact_type, content)
    if len(text) <= limit:
        return text
    note = f"(The first {limit:,} of {len(text):,} characters; the export has all.)"
    return f"{closed(text[:limit])}\n{note}\n"


def lowered(markdown: str) -> str:
    """Headings one level down, and nothing left open, so that another part can follow."""
    text, tokens = closed_with_tokens(markdown)
    lines = text.split("\n")
    for token in reversed(tokens):
        if token.type == "heading_open" and token.level == 0:
            start, end = token.map
            mark = "#" * min(6, int(token.tag[1]) + 1)
            if token.markup.startswith("#"):
                lines[start] = f"{mark} {lines[start].lstrip().lstrip('#').lstrip()}"
            else:
                lines[start:end] = [f"{mark} {' '.join(lines[start : end - 1])}"]
    return "\n".join(lines)
