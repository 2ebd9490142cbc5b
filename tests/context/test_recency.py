"""The windows in which a search reads texts, newest first."""

from hypothesis import given
from hypothesis import strategies as st

from context.search.scope import LARGE, SMALL, windows
from context.search.spelling import groups_of

IDS = st.integers(min_value=1, max_value=1 << 36)


def cells_of(row: int) -> set[int]:
    return {row >> SMALL, -1 - (row >> LARGE)}


SPANS = st.lists(
    st.lists(IDS, min_size=2, max_size=2).map(sorted).map(tuple), min_size=1, max_size=5
)


@given(SPANS, st.data())
def test_every_row_of_a_span_lies_in_exactly_one_window_that_names_the_span(spans, data):
    place = data.draw(st.integers(0, len(spans) - 1))
    row = data.draw(st.integers(*spans[place]))

    holding = [window for window in windows(spans) if cells_of(row) & set(window.cells)]

    assert [place in window.spans for window in holding] == [True]


@given(SPANS, st.data())
def test_newer_rows_never_lie_in_a_later_window(spans, data):
    rows = st.sampled_from(spans).flatmap(lambda span: st.integers(*span))
    older, newer = sorted([data.draw(rows), data.draw(rows)])
    ordered = list(windows(spans))

    def place(row):
        return next(n for n, one in enumerate(ordered) if cells_of(row) & set(one.cells))

    assert place(newer) <= place(older)
    assert place(max(newest for _, newest in spans)) == 0


@given(SPANS)
def test_even_a_large_store_has_few_windows_and_none_is_empty(spans):
    ordered = list(windows(spans))

    assert len(ordered) <= 24
    assert all(window.spans for window in ordered)


def test_what_lies_between_spans_makes_no_window_larger():
    sizes = [len(window.cells) for window in windows([(1, 2), (1 << 30, (1 << 30) + 5)])]

    assert sizes == [2, 1]


@given(st.lists(st.text(min_size=3, max_size=3), unique=True, min_size=1), st.data())
def test_what_shares_half_of_the_trigrams_has_one_of_each_group(trigrams, data):
    half = -(-len(trigrams) // 2)
    shared = data.draw(st.lists(st.sampled_from(trigrams), unique=True, min_size=half))

    assert all(set(shared) & set(group) for group in groups_of(trigrams))
