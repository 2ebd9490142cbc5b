"""What stands in one document: as much as a web process can bear, however much was accepted.

Contents are read one after the other, and no more of them once the document is full.
"""

from dataclasses import dataclass
from typing import Any

from context.models import ArtifactVersion
from context.rendering import PART_MAX_CHARACTERS, part_markdown

MAX_CHARACTERS = 2_000_000
# Of contents, of which only a little may be shown: of a program, the names of its files.
MAX_READ_CHARACTERS = 20_000_000
MAX_PARTS = 1_000
# Nobody is helped by less of a part than this.
SHORTEST = 1_000
LEFT_OUT = "(Left out: this document is full. The export has it.)"


@dataclass(frozen=True)
class Part:
    """An accepted version for reading. `about` says what it is."""

    title: str
    about: str
    markdown: str
    is_left_out: bool = False


def parts_of(versions: list[ArtifactVersion]) -> list[Part]:
    """In their order; the versions come without contents."""
    room = _Room()
    return [room.part_of(version) for version in versions[:MAX_PARTS]]


def fact_of_what_is_left_out(parts: list[Part], count: int) -> list[str]:
    """For the reader, at the beginning; nothing where everything is there."""
    left = count - sum(not part.is_left_out for part in parts)
    if not left:
        return []
    listed = "" if count <= MAX_PARTS else f"; the last {count - MAX_PARTS:,} are not listed"
    return [
        f"Left out: {left:,} of {count:,}, for this document is full (at most "
        f"{MAX_CHARACTERS:,} characters){listed}. The export of the project has them all, each in "
        "its file below artifacts/."
    ]


class _Room:
    def __init__(self) -> None:
        self.characters, self.reading = MAX_CHARACTERS, MAX_READ_CHARACTERS

    def part_of(self, version: ArtifactVersion) -> Part:
        markdown = self._markdown(version)
        title, about = version.artifact.title, _about(version)
        return Part(title, about, markdown or LEFT_OUT, is_left_out=not markdown)

    def _markdown(self, version: ArtifactVersion) -> str:
        if self.characters < SHORTEST or self.reading <= 0:
            return ""
        whole = ArtifactVersion.objects.filter(pk=version.pk).first()
        if whole is None:
            # Erased meanwhile.
            return ""
        content = whole.content
        self.reading -= _characters_in(content)
        limit = min(PART_MAX_CHARACTERS, self.characters)
        markdown = part_markdown(version.artifact.artifact_type, content, limit)
        self.characters -= len(markdown)
        return markdown


def _characters_in(value: Any) -> int:
    if isinstance(value, dict):
        return sum(len(key) + _characters_in(part) for key, part in value.items())
    if isinstance(value, list):
        return sum(map(_characters_in, value))
    return len(value) if isinstance(value, str) else 1


def _about(version: ArtifactVersion) -> str:
    by = version.source_agent or "a person"
    made_with = f" with {version.provider} {version.model}".rstrip() if version.provider else ""
    kind = version.artifact.artifact_type.replace("_", " ")
    return f"{kind}, version {version.number}, by {by}{made_with}; SHA-256 {version.sha256}"
