import pytest
from hypothesis import given
from hypothesis import strategies as st

from context.assembly.build import DoesNotFit, fit
from context.assembly.pieces import Candidate, Piece
from context.enums import Form, Need

FORMS = (Form.FULL, Form.SUMMARY, Form.TITLE)


def candidate(need, sizes, artifact="a", part=""):
    """A thing whose forms have these sizes in tokens."""
    return Candidate(
        tuple(
            Piece(Need(need), "it", artifact, 1, "agent_output", "T", part, form, "x" * size)
            for form, size in zip(FORMS, sizes, strict=False)
        )
    )


def weigh(piece):
    return len(piece.text)


def forms(candidates, budget):
    return [str(choice.form) for choice in fit(candidates, budget, weigh)]


@pytest.mark.parametrize(
    ("budget", "form"),
    [(100, "full"), (99, "summary"), (20, "summary"), (19, "title"), (2, "title"), (1, "dropped")],
)
def test_a_should_takes_the_longest_form_that_fits(budget, form):
    assert forms([candidate("should", (100, 20, 2))], budget) == [form]


def test_what_must_be_there_comes_first_wherever_it_is_written():
    some = [candidate("may", (50, 9, 1), "x"), candidate("must", (60,), "y")]

    assert [(c.piece.artifact, c.form) for c in fit(some, 100, weigh)] == [
        ("y", "full"),
        ("x", "summary"),
    ]


def test_a_must_that_does_not_fit_is_never_shortened():
    with pytest.raises(DoesNotFit, match=r"150 tokens"):
        fit([candidate("must", (150, 10, 1))], 100, weigh)


def test_two_musts_that_fit_alone_and_not_together_fail():
    with pytest.raises(DoesNotFit):
        fit([candidate("must", (60,), "x"), candidate("must", (60,), "y")], 100, weigh)


def test_a_part_of_what_is_there_in_full_is_not_given_twice():
    some = [candidate("must", (60,)), candidate("should", (30,), part="x")]

    assert forms(some, 100) == ["full", "dropped"]


NEEDS = st.sampled_from(list(Need))
SIZES = st.lists(st.integers(0, 60), min_size=1, max_size=3).map(lambda s: sorted(s, reverse=True))
CANDIDATES = st.lists(
    st.builds(candidate, NEEDS, SIZES, st.sampled_from("abcde"), st.sampled_from(["", "p", "q"])),
    max_size=12,
)
BUDGETS = st.integers(-20, 300)


def outcome(candidates, budget):
    """What was chosen, and whether it is refused."""
    try:
        return fit(candidates, budget, weigh), False
    except DoesNotFit as error:
        return error.choices, True


@given(CANDIDATES, BUDGETS)
def test_the_budget_is_never_exceeded_and_no_must_is_lost(candidates, budget):
    choices, is_refused = outcome(candidates, budget)

    assert is_refused == (sum(choice.tokens for choice in choices) > budget)
    assert len(choices) == len(candidates)
    for choice in choices:
        if choice.piece.need == Need.MUST:
            assert choice.form == Form.FULL or choice.why == "It is there already."


@given(CANDIDATES, BUDGETS)
def test_the_same_candidates_give_the_same_choice(candidates, budget):
    assert outcome(candidates, budget) == outcome(list(candidates), budget)


@given(CANDIDATES, st.integers(0, 300))
def test_nothing_is_shortened_where_everything_fits(candidates, spare):
    budget = sum(weigh(candidate.full) for candidate in candidates) + spare

    choices = fit(candidates, budget, weigh)

    assert {str(choice.form) for choice in choices} <= {"full", "dropped"}
    assert all(c.form == Form.FULL or c.why == "It is there already." for c in choices)
