"""From the newest texts to the oldest, in windows that the indexes know.

The indexes hold for each row in which two cells its id lies: a small one and a large one. So the
newest rows with a word are found without a look at older ones, however many of those there are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SMALL, LARGE = 12, 18
# As the indexes have it: large cells are negative.
CELLS = f"ARRAY[(id >> {SMALL})::int, -1 - (id >> {LARGE})::int]"
FIRST, GROWTH = 2, 2
SMALL_CELLS_AT_MOST = 128


@dataclass(frozen=True)
class Window:
    """Cells, and the places of the spans that reach into them."""

    cells: list[int]
    spans: list[int]


def windows(spans: Sequence[tuple[int, int]]) -> Iterator[Window]:
    """All rows between the ends of the spans; each window is twice as large as the one before.

    What lies in no span is leapt over. Else windows would have become so large before they reach
    old rows that they have very many of them.
    """
    bits, size, below = SMALL, FIRST, max((newest for _, newest in spans), default=0) + 1
    while left := [(oldest, min(newest, below - 1)) for oldest, newest in spans if oldest < below]:
        end = (max(newest for _, newest in left) >> bits) + 1
        start = max(end - size, min(oldest for oldest, _ in left) >> bits)
        if bits == SMALL and size >= SMALL_CELLS_AT_MOST:
            # Whole large cells are left.
            start = start >> (LARGE - SMALL) << (LARGE - SMALL)
        yield _window(spans, start, end, bits)
        below, size = start << bits, size * GROWTH
        if bits == SMALL and size > SMALL_CELLS_AT_MOST:
            bits, size = LARGE, size >> (LARGE - SMALL)


def _window(spans: Sequence[tuple[int, int]], start: int, end: int, bits: int) -> Window:
    cells = [cell if bits == SMALL else -1 - cell for cell in range(start, end)]
    first, beyond = start << bits, end << bits
    reach = [n for n, (oldest, newest) in enumerate(spans) if oldest < beyond and newest >= first]
    return Window(cells, reach)
