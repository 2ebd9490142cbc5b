"""Reads the export of another installation without trusting anything in it.

Nothing is unpacked to disk: files are read in memory, and the limits count the bytes that are read,
not the sizes that the archive claims.
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
# The second is in exports from before the product was renamed.
FORMATS = (FORMAT, "countersign.export.v1")
MANIFEST = "manifest.json"
MAX_ARCHIVE_BYTES = 64 * 1024 * 1024
MAX_FILES = 10_000
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_TOTAL_BYTES = 256 * 1024 * 1024
CHUNK = 64 * 1024
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
IS_ENCRYPTED = 0x1
# What the library raises for bytes that are not a whole archive; ValueError, for example, for a
# name that is not UTF-8, LookupError for a missing one.
BROKEN = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError),
    *(LookupError, ValueError, OverflowError),
)


@dataclass(frozen=True)
class Archive:
    """What was read and checked against the manifest. `kept` holds the files that are used."""

    manifest: dict[str, Any]
    kept: dict[str, bytes]
    sha256: str


def refused(code: str, detail: str) -> InvalidInput:
    return InvalidInput.of("file", code, detail)


def too_large(what: str, limit: int) -> TooLarge:
    return TooLarge("import_too_large", f"{what} is larger than {limit:,} bytes.", limit=limit)


def open_archive(file: BinaryIO) -> Archive:
    """Every listed file has the listed hash, and every file is listed.

    Raises InvalidInput, which names the file at fault, and TooLarge.
    """
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if size > MAX_ARCHIVE_BYTES:
            raise too_large("The archive", MAX_ARCHIVE_BYTES)
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            return ArchiveReader(archive).read(digest.hexdigest())
    except BROKEN as error:
        raise refused("not_a_zip", f"This is not a whole ZIP archive: {error}.") from error


class ArchiveReader:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.remaining_bytes = MAX_TOTAL_BYTES
        self.entries: dict[str, zipfile.ZipInfo] = {}
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if len(infos) > MAX_FILES:
            raise refused("too_many_files", f"The archive has more than {MAX_FILES:,} files.")
        paths: set[str] = set()
        for info in infos:
            if problem := next(entry_problems(info), None):
                raise refused("file_unsafe", f"{info.filename!r}: {problem}.")
            if info.filename.casefold() in paths:
                raise refused("file_twice", f"{info.filename!r} is in the archive twice.")
            paths.add(info.filename.casefold())
            self.entries[info.filename] = info

    def read(self, sha256: str) -> Archive:
        manifest = self._manifest()
        listed = {file["path"]: file for file in manifest["files"]}
        if len(listed) != len(manifest["files"]):
            raise refused("manifest_invalid", f"{MANIFEST} lists a file twice.")
        paths = self.entries.keys() - {MANIFEST}
        if missing := sorted(listed.keys() - paths):
            detail = f"{missing[0]!r} is in {MANIFEST}, but not in the archive."
            raise refused("file_missing", detail)
        if extra := sorted(paths - listed.keys()):
            detail = f"{extra[0]!r} is in the archive, but not in {MANIFEST}."
            raise refused("file_unlisted", detail)
        kept = {MANIFEST: self._bytes(MANIFEST)}
        for path, file in listed.items():
            data = self._bytes(path)
            if hashlib.sha256(data).hexdigest() != file["sha256"]:
                raise refused("hash_mismatch", f"{path!r} does not have the hash in {MANIFEST}.")
            # Contents of artifacts, and the past; other files can be made from the contents.
            if file.get("is_content") or path.startswith(("audit/", "imported/")):
                kept[path] = data
        return Archive(manifest, kept, sha256)

    def _manifest(self) -> dict[str, Any]:
        if MANIFEST not in self.entries:
            raise refused("manifest_missing", f"There is no {MANIFEST}: this is not an export.")
        try:
            manifest = json.loads(self._bytes(MANIFEST))
        except (ValueError, RecursionError) as error:
            raise refused("manifest_invalid", f"{MANIFEST} is not JSON.") from error
        if not isinstance(manifest, dict) or manifest.get("format") not in FORMATS:
            raise refused("format_unknown", f"The format in {MANIFEST} is not {FORMAT!r}.")
        files = manifest.get("files")
        if not isinstance(files, list):
            raise refused("manifest_invalid", f"{MANIFEST} has no list of files.")
        for number, file in enumerate(files):
            is_listed = isinstance(file, dict) and all(
                isinstance(file.get(name), str) for name in ("path", "sha256")
            )
            if not is_listed:
                detail = f"{MANIFEST}: files[{number}] has no path or no sha256."
                raise refused("manifest_invalid", detail)
        return manifest

    def _bytes(self, path: str) -> bytes:
        limit = min(MAX_FILE_BYTES, self.remaining_bytes)
        with self.archive.open(self.entries[path]) as source:
            data = source.read(limit + 1)
        if len(data) > limit:
            if limit < MAX_FILE_BYTES:
                raise too_large("The content of the archive", MAX_TOTAL_BYTES)
            raise too_large(repr(path), MAX_FILE_BYTES)
        self.remaining_bytes -= len(data)
        return data


def entry_problems(info: zipfile.ZipInfo) -> Iterator[str]:
    path = info.filename
    if path.startswith("/") or "\\" in path or ":" in path.split("/")[0]:
        yield "must be a relative path with forward slashes"
    if {"", ".", ".."} & set(path.split("/")):
        yield "must not lead out of its folder"
    if "\0" in info.orig_filename or not path.isprintable():
        yield "has characters that are not allowed in a path"
    if stat.S_ISLNK(info.external_attr >> 16):
        yield "is a link"
    if info.flag_bits & IS_ENCRYPTED:
        yield "is encrypted"
    if info.compress_type not in METHODS:
        yield "has a compression that is not supported"
    if info.file_size > MAX_FILE_BYTES:
        yield f"is larger than {MAX_FILE_BYTES:,} bytes"
