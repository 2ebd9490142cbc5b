"""Which pieces go in, in which form. Pure: the same candidates and budget give the same choice.

Order: all `must` as written, then `should`, then `may`. A `must` goes in full or the build fails.
The others take the longest form that still fits: full, summary, title; else they are dropped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from context.assembly.pieces import Candidate, Piece
from context.enums import Form, Need

ORDER = (Need.MUST, Need.SHOULD, Need.MAY)
Weigh = Callable[[Piece], int]


@dataclass(frozen=True)
class Choice:
    """What became of one candidate. `tokens` is 0 where nothing of it goes in."""

    piece: Piece
    form: Form
    tokens: int
    full_tokens: int
    why: str


class DoesNotFit(Exception):
    """What must be there does not fit. `choices` are what was weighed."""

    def __init__(self, detail: str, choices: list[Choice]) -> None:
        super().__init__(detail)
        self.detail = detail
        self.choices = choices


def fit(candidates: Sequence[Candidate], budget: int, weigh: Weigh) -> list[Choice]:
    """One choice for each candidate, in order. Raises DoesNotFit."""
    ordered = sorted(candidates, key=lambda one: ORDER.index(one.full.need))
    choices: list[Choice] = []
    whole: set[tuple[str, int, str]] = set()
    left = budget
    for candidate in ordered:
        choice = _choose(candidate, left, whole, weigh)
        choices.append(choice)
        left -= choice.tokens
        if choice.form == Form.FULL:
            whole.add(candidate.full.key)
    if left < 0:
        raise DoesNotFit(_complaint(choices, budget), choices)
    return choices


def _choose(candidate: Candidate, left: int, whole: set, weigh: Weigh) -> Choice:
    piece = candidate.full
    full = weigh(piece)
    if {piece.key, (piece.artifact, piece.version, "")} & whole:
        return Choice(piece, Form.DROPPED, 0, full, "It is there already.")
    if piece.need == Need.MUST:
        return Choice(piece, Form.FULL, full, full, "It must be there.")
    for shorter in candidate.forms:
        tokens = weigh(shorter)
        if tokens <= left:
            why = "It fits." if shorter.form == Form.FULL else f"In full {full}, left {left}."
            return Choice(shorter, shorter.form, tokens, full, why)
    return Choice(piece, Form.DROPPED, 0, full, f"Not even its title fits: left {max(left, 0)}.")


def _complaint(choices: list[Choice], budget: int) -> str:
    if budget < 0:
        return (
            "Brief, instructions, answers and comments alone are about"
            f" {-budget:,} tokens more than the budget. Shorten them, or raise CONTEXT_BUDGET."
        )
    musts = [choice for choice in choices if choice.piece.need == Need.MUST]
    total = sum(choice.tokens for choice in musts)
    largest = sorted(musts, key=lambda choice: -choice.tokens)[:3]
    named = ", ".join(f"{one.piece.title} ({one.tokens:,})" for one in largest)
    return (
        f"What must be given has about {total:,} tokens, and {budget:,} are left for it."
        f" The largest: {named}. Let the step ask for less, or raise CONTEXT_BUDGET."
    )
