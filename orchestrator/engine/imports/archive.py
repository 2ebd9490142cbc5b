"""An export from somewhere else, read without trusting anything in it.

Nothing is unpacked to disk: files are read in memory, below limits that are counted while reading
and not taken from what the archive claims.
"""

import hashlib
import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from core.errors import InvalidInput, TooLarge

FORMAT = "paraph.export.v1"
# Exports that were made before the product was renamed say the second.
FORMATS = (FORMAT, "countersign.export.v1")
MANIFEST = "manifest.json"
MAX_ARCHIVE_BYTES = 64 * 1024 * 1024
MAX_FILES = 10_000
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_TOTAL_BYTES = 256 * 1024 * 1024
CHUNK = 64 * 1024
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
IS_ENCRYPTED = 0x1
# What the library raises for bytes that are no archive, or only half of one: a name that is no
# UTF-8 (ValueError), or none at all (LookupError), among others.
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError),
    *(LookupError, ValueError, OverflowError),
)


@dataclass(frozen=True)
class Archive:
    """What was read and held against the manifest. `kept` holds the files of interest."""

    manifest: dict[str, Any]
    kept: dict[str, bytes]
    sha256: str


def refused(code: str, detail: str) -> InvalidInput:
    return InvalidInput.of("file", code, detail)


def open_archive(file: BinaryIO) -> Archive:
    """Every listed file has the listed hash, and nothing is unlisted.

    Raises InvalidInput, which names the file at fault, and TooLarge.
    """
    digest = _digest(file)
    try:
        with zipfile.ZipFile(file) as archive:
            return _Reader(archive).read(digest)
    except BROKEN as error:
        raise refused("not_a_zip", f"This is not a whole ZIP archive: {error}.") from error


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if size > MAX_ARCHIVE_BYTES:
            raise _too_large("The archive", MAX_ARCHIVE_BYTES)
    file.seek(0)
    return digest.hexdigest()


def _too_large(what: str, limit: int) -> TooLarge:
    return TooLarge("import_too_large", f"{what} is larger than {limit:,} bytes.", limit=limit)


class _Reader:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.left = MAX_TOTAL_BYTES
        self.entries = _entries(archive)

    def read(self, sha256: str) -> Archive:
        manifest = self._manifest()
        listed = {file["path"]: file for file in manifest["files"]}
        if len(listed) != len(manifest["files"]):
            raise refused("manifest_invalid", f"{MANIFEST} lists a file twice.")
        self._check_complete(listed.keys())
        kept = {MANIFEST: self._bytes(MANIFEST)} | {
            path: data
            for path, file in listed.items()
            if (data := self._checked(path, file["sha256"])) is not None and _is_kept(file)
        }
        return Archive(manifest, kept, sha256)

    def _check_complete(self, listed: Any) -> None:
        there = self.entries.keys() - {MANIFEST}
        if missing := sorted(listed - there):
            raise refused("file_missing", f"{missing[0]!r} is in {MANIFEST}, but not there.")
        if extra := sorted(there - listed):
            raise refused("file_unlisted", f"{extra[0]!r} is there, but not in {MANIFEST}.")

    def _manifest(self) -> dict[str, Any]:
        if MANIFEST not in self.entries:
            raise refused("manifest_missing", f"There is no {MANIFEST}: this is no export.")
        try:
            manifest = json.loads(self._bytes(MANIFEST))
        except (ValueError, RecursionError) as error:
            raise refused("manifest_invalid", f"{MANIFEST} is not JSON.") from error
        if not isinstance(manifest, dict) or manifest.get("format") not in FORMATS:
            raise refused("format_unknown", f"{MANIFEST} does not say {FORMAT!r}.")
        _check_listing(manifest.get("files"))
        return manifest

    def _checked(self, path: str, sha256: str) -> bytes:
        data = self._bytes(path)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise refused("hash_mismatch", f"{path!r} is not what {MANIFEST} says it was.")
        return data

    def _bytes(self, path: str) -> bytes:
        limit = min(MAX_FILE_BYTES, self.left)
        with self.archive.open(self.entries[path]) as source:
            data = source.read(limit + 1)
        if len(data) > limit:
            if limit < MAX_FILE_BYTES:
                raise _too_large("What the archive holds", MAX_TOTAL_BYTES)
            raise _too_large(repr(path), MAX_FILE_BYTES)
        self.left -= len(data)
        return data


def _is_kept(file: dict[str, Any]) -> bool:
    """Contents of artifacts, and what tells of the past; the rest can be made of the contents."""
    return bool(file.get("is_content")) or file["path"].startswith(("audit/", "imported/"))


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MAX_FILES:
        raise refused("too_many_files", f"The archive has more than {MAX_FILES:,} files.")
    entries: dict[str, zipfile.ZipInfo] = {}
    seen: set[str] = set()
    for info in infos:
        if problem := next(_problems(info), None):
            raise refused("file_unsafe", f"{info.filename!r}: {problem}.")
        if info.filename.casefold() in seen:
            raise refused("file_twice", f"{info.filename!r} is in the archive twice.")
        seen.add(info.filename.casefold())
        entries[info.filename] = info
    return entries


def _problems(info: zipfile.ZipInfo) -> Iterator[str]:
    path = info.filename
    if path.startswith("/") or "\\" in path or ":" in path.split("/")[0]:
        yield "must be a relative path with forward slashes"
    if {"", ".", ".."} & set(path.split("/")):
        yield "must not lead out of its folder"
    if "\0" in info.orig_filename or not path.isprintable():
        yield "has characters that no path may have"
    if stat.S_ISLNK(info.external_attr >> 16):
        yield "is a link"
    if info.flag_bits & IS_ENCRYPTED:
        yield "is encrypted"
    if info.compress_type not in METHODS:
        yield "is compressed in a way that is not read here"
    if info.file_size > MAX_FILE_BYTES:
        yield f"is larger than {MAX_FILE_BYTES:,} bytes"


def _check_listing(files: Any) -> None:
    if not isinstance(files, list):
        raise refused("manifest_invalid", f"{MANIFEST} has no list of files.")
    for number, file in enumerate(files):
        is_listed = isinstance(file, dict) and all(
            isinstance(file.get(name), str) for name in ("path", "sha256")
        )
        if not is_listed:
            raise refused("manifest_invalid", f"{MANIFEST}: files[{number}] names no file.")
