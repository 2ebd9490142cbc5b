"""Names of files that someone else chose, made safe to unpack anywhere."""

import re
from collections.abc import Container
from itertools import count
from pathlib import PurePosixPath

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\ud800-\udfff]')
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")
MAX_PART = 150


class SafePaths:
    """Each path is relative, stays below its folder, and is unique, whatever its case.

    No file has the path of a folder, so that all can be unpacked together.
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def folder(self, name: str) -> str:
        """A folder of its own."""
        path = self._unique(clean(name))
        self._folders.add(path.casefold())
        return path

    def file(self, folder: str, name: str) -> str:
        path = self._unique(f"{folder}/{clean(name)}")
        self._files.add(path.casefold())
        return path

    def _unique(self, path: str) -> str:
        *parents, name = path.split("/")
        parent = ""
        for part in parents:
            parent = _numbered(f"{parent}{part}", self._files)
            self._folders.add(parent.casefold())
            parent += "/"
        return _numbered(f"{parent}{name}", self._files | self._folders)


def _numbered(path: str, taken: Container[str]) -> str:
    """The path, with the first number that makes it unique if it is taken."""
    plain = PurePosixPath(path)
    for number in count(2):
        if path.casefold() not in taken:
            break
        path = str(plain.with_name(f"{plain.stem}-{number}{plain.suffix}"))
    return path


def clean(path: str) -> str:
    parts = []
    for part in path.replace("\\", "/").split("/"):
        # Windows drops dots and blanks at the end, and reserves some names.
        part = _UNSAFE.sub("_", part).rstrip(". ").strip()[:MAX_PART]
        if part:
            parts.append(f"_{part}" if _RESERVED.match(part) else part)
    return "/".join(parts) or "unnamed"
