"""A brief from a file."""

from pathlib import Path

from django.core.management.base import CommandError

from core.text import one_line
from projects.models import BRIEF_MAX_LENGTH

NAME_MAX_LENGTH = 200
# A character has at most four bytes.
MAX_BYTES = 4 * (BRIEF_MAX_LENGTH + 1)


def read_brief(path: Path) -> str:
    """Raises CommandError, which says what to do."""
    name = one_line(str(path))
    if path.is_dir():
        raise CommandError(f"{name} is a folder; name a text file with the brief.")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 4)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
    try:
        brief = raw[:MAX_BYTES].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"byte {error.start + 1} is none of it"
        raise CommandError(f"{name} is not UTF-8 text ({detail}). Save it as UTF-8.") from error
    if len(raw) > MAX_BYTES or len(brief) > BRIEF_MAX_LENGTH:
        detail = f"a brief has at most {BRIEF_MAX_LENGTH:,} characters"
        raise CommandError(f"{name} is too long: {detail}. Shorten it.")
    return brief


def name_from(brief: str, path: Path) -> str:
    """The first heading, or the file's name."""
    headings = (line.lstrip("#").strip() for line in brief.splitlines() if line.startswith("#"))
    found = next(filter(None, map(one_line, headings)), "") or one_line(path.stem)
    return found[:NAME_MAX_LENGTH]
