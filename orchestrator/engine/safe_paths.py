"""Names of files that someone else chose, made safe to unpack anywhere."""

import re
from itertools import count
from pathlib import PurePosixPath

_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\ud800-\udfff]')
_RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")
MAX_PART = 150


class SafePaths:
    """Each path is relative, never goes up, and is given once, whatever its case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def folder(self, wanted: str) -> str:
        return self._once(clean(wanted))

    def file(self, folder: str, wanted: str) -> str:
        return self._once(f"{folder}/{clean(wanted)}")

    def _once(self, path: str) -> str:
        plain = PurePosixPath(path)
        for number in count(2):
            if path.casefold() not in self._taken:
                break
            path = str(plain.with_name(f"{plain.stem}-{number}{plain.suffix}"))
        self._taken.add(path.casefold())
        return path


def clean(wanted: str) -> str:
    parts = (_part(part) for part in wanted.replace("\\", "/").split("/"))
    return "/".join(part for part in parts if part) or "unnamed"


def _part(part: str) -> str:
    """Windows drops dots and blanks at the end, and keeps some names to itself."""
    part = _UNSAFE.sub("_", part).rstrip(". ").strip()[:MAX_PART]
    return f"_{part}" if _RESERVED.match(part) else part
