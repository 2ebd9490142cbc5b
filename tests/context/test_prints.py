"""A document that is printed stays within what a server can bear, and says what it leaves out."""

import pytest

from context.printing import blocks
from context.printing.blocks import AS_SOURCE, LEFT_OUT, MAX_PIECES, PrintBudget, note


@pytest.mark.parametrize("piece", ["# a\n", "- a\n", "a\n\n"])
def test_what_is_made_of_too_many_pieces_is_there_as_its_source(piece, monkeypatch):
    monkeypatch.setattr(blocks, "MAX_PIECES", 4_000)

    assert_is_there_as_its_source(piece, times=4_001)


def test_the_bound_itself_is_borne():
    assert_is_there_as_its_source("*a* ", times=MAX_PIECES + 1)


def assert_is_there_as_its_source(piece, times):
    explanation, source = PrintBudget().blocks_of(piece * times)

    assert explanation == note(AS_SOURCE)
    assert source["t"] == "code"
    assert source["text"].replace("\n", "").count("a") == times


def test_code_counts_by_its_lines():
    explanation, *others = PrintBudget().blocks_of("```\n" + "a\n" * MAX_PIECES * 6 + "```\n")

    assert (explanation, others) == (note(LEFT_OUT), [])


def test_a_full_document_says_what_is_left_out_and_goes_on_with_what_fits():
    document = PrintBudget()
    long = "```\n" + "words\n" * (MAX_PIECES * 3) + "```\n"

    kinds = [document.blocks_of(text) for text in (long, long, "short")]

    assert kinds[0][0]["t"] == "code"
    assert kinds[1] == [note(LEFT_OUT)]
    assert kinds[2] == [{"t": "p", "c": ["short"]}]


def test_hundreds_of_parts_fill_a_document_too():
    document = PrintBudget()

    last = [document.blocks_of("a") for _ in range(MAX_PIECES // 10)][-1]

    assert last == [note(LEFT_OUT)]
