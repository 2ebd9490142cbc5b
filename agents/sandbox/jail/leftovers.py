"""What a program has made of the files of its folder, read once nothing of it runs any more."""

import base64
import os
import stat
from collections.abc import Iterator, Mapping

MAX_FILES = 300
MAX_PATH = 200
MAX_REFUSED = 50
# Whoever reads text sees a file that begins like this as none.
HEAD_BYTES = 8192
# What tools make anew. So is what they keep in new hidden folders: they take this one for a home.
MADE_ANEW = {"__pycache__", "node_modules", "target"}


def leftovers(folder: str, given: Mapping[str, bytes], *, max_bytes: int) -> dict:
    """`{written: {path: base64}, removed: [path], refused: [[path, why]], excess: why}`.

    Plain files of text alone are taken, and with an excess none of them.
    """
    written: dict[str, str] = {}
    refused: list[tuple[str, str]] = []
    total = 0
    for path, entry in _files(folder, given, refused):
        before = given.get(path, b"")
        most = max(max_bytes, len(before))
        content, why = _text(entry, most) if entry else (None, "left out: tools make it anew")
        if why:
            refused.append((path, why))
        elif content is None or (content != before and total + len(content) > max_bytes):
            return _excess(f"more than {max_bytes:,} bytes")
        elif content != before or path not in given:
            written[path] = base64.b64encode(content).decode()
            total += len(content)
            if len(written) > MAX_FILES:
                return _excess(f"more than {MAX_FILES} files")
    shown = [(path.encode("utf-8", "replace").decode()[:MAX_PATH], why) for path, why in refused]
    removed = [path for path in given if not os.path.lexists(os.path.join(folder, path))]
    return {
        "written": written,
        "removed": removed,
        "refused": shown[:MAX_REFUSED],
        "excess": "",
    }


def _excess(why: str) -> dict:
    return {"written": {}, "removed": [], "refused": [], "excess": why}


def _files(
    folder: str, given: Mapping[str, bytes], refused: list[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    """Each file beneath the folder, by its path there and as a whole; '' for what is left out."""
    kept = {part for path in given for part in _parents(path)}

    def unreadable(error: OSError) -> None:
        refused.append((os.path.relpath(os.fsdecode(error.filename), folder), "cannot be read"))

    for place, folders, names in os.walk(folder, onerror=unreadable):
        inside = os.path.relpath(place, folder)
        prefix = "" if inside == "." else f"{inside}/"
        for name in sorted(folders):
            is_made_anew = name in MADE_ANEW or name.startswith(".")
            if os.path.islink(os.path.join(place, name)):
                names.append(name)
            elif is_made_anew and f"{prefix}{name}" not in kept:
                folders.remove(name)
                yield f"{prefix}{name}/", ""
        folders.sort()
        for name in sorted(names):
            yield f"{prefix}{name}", os.path.join(place, name)


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _text(path: str, max_bytes: int) -> tuple[bytes | None, str]:
    """The content, or why it is not taken; neither where it is too large."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None, "a symbolic link" if os.path.islink(path) else "cannot be read"
    with open(descriptor, "rb") as stream:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            return None, "no plain file"
        if facts.st_nlink > 1:
            return None, "a file with several names"
        head = stream.read(HEAD_BYTES)
        if b"\0" in head:
            return None, "no text"
        if facts.st_size > max_bytes:
            return None, ""
        content = head + stream.read(max_bytes)
    try:
        is_text = "\0" not in content.decode()
    except UnicodeDecodeError:
        is_text = False
    return (content, "") if is_text else (None, "no text")
