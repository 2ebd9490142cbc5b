"""Artifact contents for people (Markdown) and for the export (files)."""

import json

from context.artifact_types import Values, artifact_types
from context.markdown import fenced, plain, section, table


def render_markdown(artifact_type: str, content: Values) -> str:
    """The content as a Markdown document; as JSON what is of no known type or older than it."""
    try:
        lines = [*artifact_types[artifact_type].render(content), *_common(content)]
    except (AttributeError, KeyError, TypeError):
        # Versions are kept for good, so one may be older than its schema.
        lines = fenced(json.dumps(content, indent=2, ensure_ascii=False), "json")
    return "\n".join(lines).rstrip() + "\n"


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


def _common(content: Values) -> list[str]:
    """What most contents have: gaps, answers and what became of comments."""
    missing = [[item["requirement"], item["reason"]] for item in content.get("not_covered") or []]
    answers = [
        f"- {plain(' / '.join(c['questions'])) or 'Remark'}: {plain(c['answer'])}"
        for c in content.get("clarifications") or []
    ]
    notes = [
        f"- {plain(n['comment'])} ({'honoured' if n['honoured'] else 'not honoured'}: "
        f"{plain(n['response'])})"
        for n in content.get("feedback") or []
    ]
    return [
        *section("Not covered", table(["Requirement", "Reason"], missing)),
        *section("Answers taken into account", answers),
        *section("What became of comments", notes),
    ]
