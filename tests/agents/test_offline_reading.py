from hypothesis import given
from hypothesis import strategies as st

from agents.offline.reading import MAX_PASSAGES, Source, read, storable
from agents.offline.requirements import understand

LIVELY = st.text(
    alphabet=st.one_of(
        st.sampled_from(" \n\t#*-.!?:;1aA,\u200f\u05d0ä😀<>`_|\x00\u2028"), st.characters()
    ),
    max_size=400,
)


@given(LIVELY)
def test_every_passage_quotes_its_source_exactly(text):
    for passage in read(Source("brief", 0, text)):
        assert text[passage.start : passage.end] == passage.quote
        assert passage.quote == passage.quote.strip()
        assert passage.quote


@given(LIVELY)
def test_passages_stand_in_order_and_never_overlap(text):
    passages = read(Source("brief", 0, text))
    ends = [0, *(passage.end for passage in passages)]
    assert all(end <= passage.start for end, passage in zip(ends, passages, strict=False))


@given(st.text(alphabet=st.characters(codec=None), max_size=200))
def test_making_text_storable_moves_nothing(text):
    assert len(storable(text)) == len(text)
    storable(text).encode()


def test_headings_bullets_and_sentences_are_told_apart():
    text = "# Shop\n\nFirst one. Second one!\n\n- a bullet\n  that goes on\n2) another"
    kinds = [(p.kind, p.quote) for p in read(Source("brief", 0, text))]
    assert kinds == [
        ("heading", "Shop"),
        ("sentence", "First one."),
        ("sentence", "Second one!"),
        ("bullet", "a bullet\n  that goes on"),
        ("bullet", "another"),
    ]


def test_a_bullet_is_read_with_the_sentence_that_leads_into_it():
    text = "Members can:\n\n- borrow books\n- return books"
    assert [p.statement for p in read(Source("brief", 0, text))][1:] == [
        "Members can borrow books",
        "Members can return books",
    ]


def test_an_abbreviation_does_not_end_a_sentence():
    text = "Add things, e.g. Books or discs. Then list them."
    assert len(read(Source("brief", 0, text))) == 2


def test_a_flood_of_lines_is_cut_off():
    assert len(read(Source("brief", 0, "a b.\n\n" * 10_000))) == MAX_PASSAGES


def test_background_asks_for_nothing_but_a_must_always_does():
    text = (
        "## Background\nPeople add books by hand. It must list books.\n## Wishes\nPeople "
        "can add books."
    )
    found = [f.statement for f in understand([Source("brief", 0, text)]).found]
    assert found == ["It must list books.", "People can add books."]


def test_what_is_ruled_out_is_no_requirement():
    text = "- Add books\n\n## Out of scope\n- A web page for members"
    reading = understand([Source("brief", 0, text)])
    assert [f.statement for f in reading.found] == ["Add books"]
    assert reading.out_of_scope == ("A web page for members",)


def test_the_words_say_how_much_a_thing_is_wanted():
    text = "It must list books. It should sort books. It could export books."
    found = understand([Source("brief", 0, text)]).found
    assert [f.priority for f in found] == ["must", "should", "could"]
