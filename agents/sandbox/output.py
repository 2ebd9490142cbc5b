"""Reading what a program prints: all of it is taken, only the first and the last part is kept."""


class Excerpt:
    """At most `limit` bytes of a stream, however long it is."""

    def __init__(self, limit: int) -> None:
        self.half = limit // 2
        self.total = 0
        self.first = bytearray()
        self.last = bytearray()

    def add(self, piece: bytes) -> None:
        self.total += len(piece)
        room = self.half - len(self.first)
        self.first += piece[:room]
        self.last += piece[room:]
        del self.last[: max(0, len(self.last) - self.half)]

    def text(self) -> str:
        """The text, marked where something is left out, without NUL: no database takes it."""
        left_out = self.total - len(self.first) - len(self.last)
        mark = f"\n[... {left_out} bytes left out ...]\n" if left_out else ""
        first = bytes(self.first)
        joined = (
            first.decode(errors="replace") + mark + bytes(self.last).decode(errors="replace")
            if mark
            else (first + bytes(self.last)).decode(errors="replace")
        )
        return joined.replace("\0", "\N{REPLACEMENT CHARACTER}")
