from pathlib import Path, PurePosixPath
from uuid import UUID

from django.core.management.base import CommandError

from core.database import consistent_snapshot
from core.text import one_line
from orchestrator.engine.export import export_files, prepare_export
from projects.models import Project
from ui.terminal.console import Terminal


def check_folder(path: Path | None) -> None:
    """Before anything starts: files of two projects must not mix. Raises CommandError."""
    if path is None:
        return
    name = one_line(str(path))
    if path.exists() and not path.is_dir():
        raise CommandError(f"{name} is no folder; give --output a new or empty one.")
    if path.is_dir() and any(path.iterdir()):
        raise CommandError(f"The folder {name} is not empty; give --output a new or empty one.")


def write_export(terminal: Terminal, project_id: UUID, folder: Path) -> None:
    """Raises CommandError for a path that leads out of the folder, or a disk that refuses."""
    check_folder(folder)
    count = 0
    try:
        prepare_export(Project.objects.get(pk=project_id))
        with consistent_snapshot():
            for name, content in export_files(Project.objects.get(pk=project_id)):
                _write(folder, name, content)
                count += 1
    except OSError as error:
        raise CommandError(f"The export cannot be written: {one_line(str(error))}") from error
    terminal.say(f"{count} files are in {folder}")


def _write(folder: Path, name: str, content: bytes | str) -> None:
    parts = PurePosixPath(name).parts
    if not parts or PurePosixPath(name).is_absolute() or ".." in parts or "\0" in name:
        raise CommandError(f"The export names a file outside of its folder: {one_line(name)!r}.")
    path = folder.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
