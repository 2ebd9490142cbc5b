"""Names of files that someone else chose, made safe to unpack anywhere."""

import re
from collections.abc import Container
from itertools import count
from pathlib import PurePosixPath

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\ud800-\udfff]')
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")
MAX_PART = 150


class SafePaths:
    """Each path is relative, never goes up, and is given once, whatever its case.

    No file is where another path needs a folder, so that all can be unpacked together.
    """

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def folder(self, wanted: str) -> str:
        """A folder that nothing else is in."""
        path = self._once(clean(wanted))
        self._folders.add(path.casefold())
        return path

    def file(self, folder: str, wanted: str) -> str:
        path = self._once(f"{folder}/{clean(wanted)}")
        self._files.add(path.casefold())
        return path

    def _once(self, wanted: str) -> str:
        *parents, name = wanted.split("/")
        parent = ""
        for part in parents:
            parent = _free(f"{parent}{part}", self._files)
            self._folders.add(parent.casefold())
            parent += "/"
        return _free(f"{parent}{name}", self._files | self._folders)


def _free(path: str, taken: Container[str]) -> str:
    """The path, or the first numbered one, that is not taken."""
    plain = PurePosixPath(path)
    for number in count(2):
        if path.casefold() not in taken:
            break
        path = str(plain.with_name(f"{plain.stem}-{number}{plain.suffix}"))
    return path


def clean(wanted: str) -> str:
    parts = (_part(part) for part in wanted.replace("\\", "/").split("/"))
    return "/".join(part for part in parts if part) or "unnamed"


def _part(part: str) -> str:
    """Windows drops dots and blanks at the end, and keeps some names to itself."""
    part = _UNSAFE.sub("_", part).rstrip(". ").strip()[:MAX_PART]
    return f"_{part}" if _RESERVED.match(part) else part
