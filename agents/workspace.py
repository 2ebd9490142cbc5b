"""The files that an agent works on. They live in the database, each version of each; a worker has
them only while it works."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from pydantic import TypeAdapter, ValidationError

from agents.models import Task, WorkspaceFile
from context.content_fields import FilePath
from core.text import is_storable
from projects.integrity import ContentChanged

_PATH = TypeAdapter(FilePath)
# As many as source code may have.
MAX_FILES = 300
LANGUAGES = {
    **{"py": "python", "md": "markdown", "js": "javascript", "ts": "typescript", "rs": "rust"},
    **{"go": "go", "java": "java", "c": "c", "h": "c", "cpp": "cpp", "cs": "csharp", "rb": "ruby"},
    **{"php": "php", "sh": "shell", "sql": "sql", "html": "html", "css": "css", "json": "json"},
    **{"yaml": "yaml", "yml": "yaml", "toml": "toml", "xml": "xml", "kt": "kotlin"},
}


class WorkspaceError(ValueError):
    """What is wrong with a path or a text, in words for whoever wants to write it."""


def check_file(path: str, content: str, files: Mapping[str, str]) -> None:
    """Whether it can stand among these. Raises WorkspaceError."""
    try:
        _PATH.validate_python(path)
    except ValidationError as error:
        raise WorkspaceError(f"The path {path[:200]!r}: {error.errors()[0]['msg']}.") from error
    if not is_storable(content):
        raise WorkspaceError("The text has a NUL character or half a surrogate pair.")
    for other in files:
        if other != path and other.casefold() == path.casefold():
            raise WorkspaceError(f"{path!r} and {other!r} differ by their case alone.")
        if other.startswith(f"{path}/") or path.startswith(f"{other}/"):
            raise WorkspaceError(f"{path!r}: {other!r} stands in the way.")


def check_size(files: Mapping[str, str]) -> None:
    """Raises WorkspaceError."""
    size, most = sum(len(text.encode()) for text in files.values()), settings.WORKSPACE_MAX_BYTES
    if size > most:
        detail = f"All files together may have at most {most:,} bytes."
        raise WorkspaceError(f"{detail} With this there would be {size:,}.")
    if len(files) > MAX_FILES:
        raise WorkspaceError(f"There may be at most {MAX_FILES} files.")


class Workspace:
    """The files of a task by path, and what has changed since they were last stored."""

    def __init__(
        self, files: Mapping[str, str] | None = None, numbers: Mapping[str, int] | None = None
    ) -> None:
        self.files = dict(files or {})
        #: The newest stored version of each path, deleted ones included.
        self.numbers = dict(numbers or {})
        #: Paths whose text is not stored yet; None where the file is gone.
        self.changes: dict[str, str | None] = {}

    @classmethod
    def of(cls, task: Task) -> "Workspace":
        """As the last turn left it, whoever did that. Raises ContentChanged."""
        newest = WorkspaceFile.objects.filter(task=task).order_by("path", "-number")
        versions = list(newest.distinct("path"))
        for version in versions:
            check_unchanged(task, version)
        files = {version.path: version.content for version in versions if not version.is_deleted}
        return cls(files, {version.path: version.number for version in versions})

    @property
    def is_new(self) -> bool:
        """Nothing was ever written."""
        return not self.numbers and not self.changes

    def read(self, path: str) -> str:
        """Raises WorkspaceError."""
        if path not in self.files:
            raise WorkspaceError(f"There is no file {path!r}.")
        return self.files[path]

    def write(self, path: str, content: str) -> None:
        """Raises WorkspaceError."""
        check_file(path, content, self.files)
        check_size(self.files | {path: content})
        if self.files.get(path) != content:
            self.files[path] = self.changes[path] = content

    def delete(self, path: str) -> None:
        """Raises WorkspaceError."""
        self.read(path)
        del self.files[path]
        self.changes[path] = None

    def take_over(self, written: Mapping[str, str], removed: Iterable[str]) -> dict[str, str]:
        """What a program has made of the files, as far as it can stand here; the others with why.

        Raises WorkspaceError, and changes nothing, where they are too many or too large.
        """
        files = {path: text for path, text in self.files.items() if path not in set(removed)}
        refused: dict[str, str] = {}
        for path, text in sorted(written.items()):
            try:
                check_file(path, text, files)
            except WorkspaceError as error:
                refused[path] = str(error)
                continue
            files[path] = text
        check_size(files)
        gone = [path for path in self.files if path not in files]
        changed = {path: text for path, text in files.items() if self.files.get(path) != text}
        self.files = files
        self.changes |= changed | dict.fromkeys(gone)
        return refused

    def store(self, task: Task, *, fence: int, turn: int) -> None:
        """A new version of each file that has changed. Within the transaction of the turn."""
        WorkspaceFile.objects.bulk_create(
            WorkspaceFile(
                task=task,
                path=path,
                number=self.numbers.get(path, 0) + 1,
                content=content or "",
                sha256=hashlib.sha256((content or "").encode()).hexdigest(),
                is_deleted=content is None,
                fence=fence,
                turn=turn,
            )
            for path, content in self.changes.items()
        )

    def mark_stored(self) -> None:
        """After the commit."""
        for path in self.changes:
            self.numbers[path] = self.numbers.get(path, 0) + 1
        self.changes.clear()

    def as_source_files(self) -> list[dict[str, Any]]:
        """As the content of source code lists them."""
        return [
            {"path": path, "content": text, "language": language_of(path)}
            for path, text in sorted(self.files.items())
        ]


def check_unchanged(task: Task, version: WorkspaceFile) -> None:
    """Raises ContentChanged where the text is not what its agent wrote."""
    found = hashlib.sha256(version.content.encode()).hexdigest()
    if found != version.sha256:
        raise ContentChanged(
            "file",
            f"The file “{version.path}” of the workspace",
            project=task.project_id,
            expected=version.sha256,
            found=found,
            task=task.pk,
            version=version.number,
        )


def keep_files(task: Task, files: Mapping[str, str]) -> None:
    """For people to read. Within the transaction that stores the result of the task."""
    workspace = Workspace.of(task)
    for path, content in files.items():
        workspace.write(path, content)
    workspace.store(task, fence=task.fence, turn=0)


def language_of(path: str) -> str:
    return LANGUAGES.get(path.rpartition(".")[2].lower(), "text")
