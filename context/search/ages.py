"""From the newest texts to the oldest, in windows that the indexes know.

The indexes hold for each row in which two cells its id lies: a small one and a large one. So the
newest rows with a word are found without a look at older ones, however many of those there are.
"""

from collections.abc import Iterator

SMALL, LARGE = 12, 18
# As the indexes have it: large cells are negative.
CELLS = f"ARRAY[(id >> {SMALL})::int, -1 - (id >> {LARGE})::int]"
FIRST, GROWTH = 2, 4
SMALL_CELLS_AT_MOST = 128


def windows(oldest: int, newest: int) -> Iterator[list[int]]:
    """The cells of each window; each window is four times as large as the one before."""
    end, size = (newest >> SMALL) + 1, FIRST
    while end > oldest >> SMALL and size <= SMALL_CELLS_AT_MOST:
        start = max(end - size, oldest >> SMALL)
        if size == SMALL_CELLS_AT_MOST:
            # Whole large cells are left.
            start = start >> (LARGE - SMALL) << (LARGE - SMALL)
        yield list(range(start, end))
        end, size = start, size * GROWTH
    end, size = end >> (LARGE - SMALL), size >> (LARGE - SMALL)
    while end > oldest >> LARGE:
        start = max(end - size, oldest >> LARGE)
        yield [-1 - cell for cell in range(start, end)]
        end, size = start, size * GROWTH
