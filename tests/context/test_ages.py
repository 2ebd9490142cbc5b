"""The windows in which a search reads texts, newest first."""

from hypothesis import given
from hypothesis import strategies as st

from context.search.ages import LARGE, SMALL, windows
from context.search.spelling import groups_of

IDS = st.integers(min_value=1, max_value=1 << 36)


def cells_of(row: int) -> set[int]:
    return {row >> SMALL, -1 - (row >> LARGE)}


@given(st.lists(IDS, min_size=3, max_size=3).map(sorted))
def test_every_row_lies_in_exactly_one_window(ids):
    oldest, one, newest = ids

    holding = [cells for cells in windows(oldest, newest) if cells_of(one) & set(cells)]

    assert len(holding) == 1


@given(st.lists(IDS, min_size=2, max_size=2).map(sorted))
def test_newer_rows_never_lie_in_a_later_window(ids):
    older, newer = ids
    found = list(windows(1, newer))

    def place(row):
        return next(n for n, cells in enumerate(found) if cells_of(row) & set(cells))

    assert place(newer) <= place(older)
    assert place(newer) == 0


@given(IDS)
def test_even_a_large_store_has_few_windows(newest):
    assert len(list(windows(1, newest))) <= 16


@given(st.lists(st.text(min_size=3, max_size=3), unique=True, min_size=1), st.data())
def test_what_shares_half_of_the_trigrams_has_one_of_each_group(trigrams, data):
    half = -(-len(trigrams) // 2)
    shared = data.draw(st.lists(st.sampled_from(trigrams), unique=True, min_size=half))

    assert all(set(shared) & set(group) for group in groups_of(trigrams))
