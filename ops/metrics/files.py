"""The counters of a process in a file that the others read, in prometheus_client's own format.

The library maps its files into memory, and then a full disk ends the process with SIGBUS at the
next count. Here counts are kept in memory and written as well; what cannot be written now is
written as soon as there is room.
"""

import os
import struct

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

INITIAL_BYTES = 1 << 16
INTEGER = struct.Struct("i")
ENTRY_END = struct.Struct("dd")


class WrittenDict(MmapedDict):
    """Not thread-safe, as the library's own: it holds a lock around each call."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        self._fname = filename
        self._positions: dict[str, int] = {}
        self._m = bytearray(INITIAL_BYTES)
        self._capacity, self._used = INITIAL_BYTES, 8
        self._f: int | None = None
        self._is_behind = True
        INTEGER.pack_into(self._m, 0, self._used)
        # A process id may come again; what an earlier one counted stays counted.
        try:
            with open(filename, "rb") as file:
                earlier = file.read()
        except OSError:
            earlier = b""
        if len(earlier) > 8 and 8 < INTEGER.unpack_from(earlier)[0] <= len(earlier):
            self._m[: len(earlier)] = earlier
            self._capacity = len(self._m)
            self._used = INTEGER.unpack_from(earlier)[0]
            self._positions = {key: place for key, _, _, place in self._read_all_values()}
        self._write(8, self._used)

    def _init_value(self, key: str) -> None:
        encoded = key.encode()
        padded = encoded + b" " * (8 - (len(encoded) + 4) % 8)
        entry = INTEGER.pack(len(encoded)) + padded + ENTRY_END.pack(0.0, 0.0)
        start = self._used
        if start + len(entry) > len(self._m):
            self._m.extend(bytes(len(self._m) + len(entry)))
            self._capacity = len(self._m)
        self._m[start : start + len(entry)] = entry
        self._used += len(entry)
        INTEGER.pack_into(self._m, 0, self._used)
        self._positions[key] = self._used - ENTRY_END.size
        self._write(start, self._used)

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        if key not in self._positions:
            self._init_value(key)
        place = self._positions[key]
        ENTRY_END.pack_into(self._m, place, value, timestamp)
        self._write(place, place + ENTRY_END.size)

    def _write(self, start: int, end: int) -> None:
        """The length of what is used goes last: who reads meanwhile finds whole entries only."""
        if self._is_behind:
            start, end = 8, self._used
        try:
            if self._f is None:
                self._f = self._open()
            is_written = os.pwrite(self._f, memoryview(self._m)[start:end], start) == end - start
            if is_written and (end == self._used or start == 8):
                is_written = os.pwrite(self._f, self._m[:8], 0) == 8
            self._is_behind = not is_written
        except OSError:
            self._is_behind = True

    def _open(self) -> int:
        """With a head that says that nothing is in it; an empty file would break the reader."""
        descriptor = os.open(self._fname, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            if not os.fstat(descriptor).st_size:
                os.pwrite(descriptor, struct.pack("ii", 8, 0), 0)
        except OSError:
            os.close(descriptor)
            os.unlink(self._fname)
            raise
        return descriptor

    def close(self) -> None:
        if self._f is not None:
            os.close(self._f)
        self._f = None


def count_in_files() -> None:
    """Before the first metric is made."""
    values.MmapedDict = WrittenDict
