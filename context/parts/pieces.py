"""Long texts in pieces, cut where the text itself says so, never by counting from the start.

A cut depends on the lines around it alone. So after an edit the same places are found again, and
the pieces before and behind stay as they were.
"""

import re
from collections.abc import Iterator
from zlib import crc32

PIECE_MIN_CHARACTERS = 1_500
PIECE_MAX_CHARACTERS = 6_000
# Of the lines after which a cut is allowed, one in so many has it.
LINES_TO_A_CUT = 16

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def cut(text: str) -> list[str]:
    """Pieces of at most PIECE_MAX_CHARACTERS; together they are the text."""
    if len(text) <= PIECE_MAX_CHARACTERS:
        return [text]
    return list(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    piece: list[str] = []
    size = 0
    for line in _short_lines(text):
        if size + len(line) > PIECE_MAX_CHARACTERS:
            yield "".join(piece)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
        if size >= PIECE_MIN_CHARACTERS and _is_cut(line):
            yield "".join(piece)
            piece, size = [], 0
    if piece:
        yield "".join(piece)


def _is_cut(line: str) -> bool:
    return crc32(line.encode(errors="surrogatepass")) % LINES_TO_A_CUT == 0


def _short_lines(text: str) -> Iterator[str]:
    for line in _LINE.findall(text):
        for start in range(0, len(line), PIECE_MAX_CHARACTERS):
            yield line[start : start + PIECE_MAX_CHARACTERS]
