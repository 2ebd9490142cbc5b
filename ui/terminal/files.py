"""Files of a run: the brief that it starts from, and the folder that its export goes to."""

from pathlib import Path, PurePosixPath
from uuid import UUID

from django.core.management.base import CommandError

from accounts.current_actor import current_actor
from core.database import consistent_snapshot
from core.text import one_line
from orchestrator.engine.document import document_of
from orchestrator.engine.export import export_files, prepare_export, record_export
from projects.integrity import ContentChanged, noted
from projects.models import BRIEF_MAX_LENGTH, Project
from ui.terminal.console import Terminal
from ui.wording import counted

NAME_MAX_LENGTH = 200
# A character has at most four bytes.
BRIEF_MAX_BYTES = 4 * (BRIEF_MAX_LENGTH + 1)


def read_brief(path: Path) -> str:
    """Raises CommandError, which says what to do."""
    name = one_line(str(path))
    if path.is_dir():
        raise CommandError(f"{name} is a folder. Name a text file with the brief.")
    try:
        with path.open("rb") as file:
            raw = file.read(BRIEF_MAX_BYTES + 4)
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
    try:
        brief = raw[:BRIEF_MAX_BYTES].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"{name} is not UTF-8 text (see byte {error.start + 1}). Save it as UTF-8."
        raise CommandError(detail) from error
    if len(raw) > BRIEF_MAX_BYTES or len(brief) > BRIEF_MAX_LENGTH:
        limit = f"a brief has at most {BRIEF_MAX_LENGTH:,} characters"
        raise CommandError(f"{name} is too long: {limit}. Shorten it.")
    return brief


def name_from(brief: str, path: Path) -> str:
    """The first heading, or the file's name."""
    headings = (line.lstrip("#").strip() for line in brief.splitlines() if line.startswith("#"))
    name = next(filter(None, map(one_line, headings)), "") or one_line(path.stem)
    return name[:NAME_MAX_LENGTH]


def check_folder(path: Path | None) -> None:
    """Before anything starts: files of two projects must not mix. Raises CommandError."""
    if path is None:
        return
    name = one_line(str(path))
    if path.exists() and not path.is_dir():
        raise CommandError(f"{name} is not a folder. Give --output a new or empty folder.")
    if path.is_dir() and any(path.iterdir()):
        raise CommandError(f"The folder {name} is not empty. Give --output a new or empty folder.")


def write_export(terminal: Terminal, project_id: UUID, folder: Path) -> None:
    """Raises CommandError for a path that leads out of the folder, or a disk that refuses."""
    check_folder(folder)
    count = 0
    try:
        with noted():
            prepare_export(Project.objects.get(pk=project_id), make=document_of)
        with noted(), consistent_snapshot():
            for name, content in export_files(Project.objects.get(pk=project_id)):
                parts = PurePosixPath(name).parts
                if not parts or name.startswith("/") or ".." in parts or "\0" in name:
                    raise CommandError(
                        f"The export names a file outside its folder: {one_line(name)!r}."
                    )
                path = folder.joinpath(*parts)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode() if isinstance(content, str) else content)
                count += 1
        record_export(Project.objects.get(pk=project_id), current_actor())
    except ContentChanged as error:
        raise CommandError(f"{error.code}: {one_line(error.detail)}") from error
    except OSError as error:
        raise CommandError(f"The export cannot be written: {one_line(str(error))}") from error
    terminal.say(f"Wrote {counted(count, 'file')} to {folder}")
