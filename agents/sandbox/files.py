"""The program's files on disk: checked paths, a fresh folder, nothing left behind."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from agents.protocols import PermanentError
from agents.sandbox.jail.folder import empty

MAX_FILES = 2_000
MAX_BYTES = 16 * 1024 * 1024
MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 1_024


@contextmanager
def program_folder(files: Mapping[str, str]) -> Iterator[Path]:
    """A temporary folder with the program in `files`; removed at the end, whatever happened."""
    contents = {}
    for path, text in files.items():
        try:
            path.encode()
            contents[path] = text.encode()
        except UnicodeEncodeError as error:
            detail = f"The file {ascii(path)[:200]} is not valid Unicode text."
            raise PermanentError("sandbox_bad_path", detail) from error
    _check(contents)
    folder = Path(tempfile.mkdtemp(prefix="paraph-"))
    try:
        (folder / "root").mkdir()
        (folder / "files").mkdir()
        for path, content in contents.items():
            _write(folder / "files", path, content)
        yield folder
    finally:
        empty(str(folder))
        folder.rmdir()


def _check(contents: Mapping[str, bytes]) -> None:
    for path in contents:
        if problem := _problem(path):
            raise PermanentError("sandbox_bad_path", f"The file path {path[:200]!r} {problem}.")
    if len(contents) > MAX_FILES or sum(map(len, contents.values())) > MAX_BYTES:
        limit = f"{MAX_FILES} files and {MAX_BYTES} bytes"
        raise PermanentError("sandbox_too_large", f"A program may have at most {limit}.")


def _problem(path: str) -> str:
    """Why a path is not allowed, or ''."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts):
        return "is not a plain relative path"
    if "\\" in path or any(ord(c) < 32 or ord(c) == 127 for c in path):
        return "has a backslash or a control character"
    too_long = max(len(p.encode()) for p in parts) > MAX_NAME_BYTES
    return "is too long" if too_long or len(path.encode()) > MAX_PATH_BYTES else ""


def _write(root: Path, path: str, content: bytes) -> None:
    target = root / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.open("xb").write(content)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        detail = f"The file path {path[:200]!r} is also a folder of another file."
        raise PermanentError("sandbox_bad_path", detail) from error
