"""Choosing pieces within a budget, with a record of what was chosen and why."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from audit.canonical import canonical
from context.assembly.expansion import check_pinned, expand, load_versions
from context.assembly.pieces import Candidate, Piece, Want
from context.enums import Form, Need

ORDER = (Need.MUST, Need.SHOULD, Need.MAY)
Weigh = Callable[[Piece], int]


@dataclass(frozen=True)
class Choice:
    """How a candidate is given. `tokens` is 0 where nothing of it is."""

    piece: Piece
    form: Form
    tokens: int
    full_tokens: int
    why: str


class DoesNotFit(Exception):
    """What the step requires does not fit. `choices` are all that were weighed."""

    def __init__(self, choices: list[Choice], budget: int) -> None:
        self.choices = choices
        if budget < 0:
            self.detail = (
                "Brief, instructions, answers and comments alone are about"
                f" {-budget:,} tokens more than the budget. Shorten them, or raise CONTEXT_BUDGET."
            )
        else:
            musts = [choice for choice in choices if choice.piece.need == Need.MUST]
            total = sum(choice.tokens for choice in musts)
            largest = sorted(musts, key=lambda choice: -choice.tokens)[:3]
            names = ", ".join(f"{choice.piece.title} ({choice.tokens:,})" for choice in largest)
            self.detail = (
                f"What the step requires has about {total:,} tokens, and there is room for"
                f" {budget:,}. The largest: {names}. Let the step ask for less, or raise"
                " CONTEXT_BUDGET."
            )
        super().__init__(self.detail)


def fit(candidates: Sequence[Candidate], budget: int, weigh: Weigh) -> list[Choice]:
    """One choice for each candidate, in order. Raises DoesNotFit."""
    ordered = sorted(candidates, key=lambda candidate: ORDER.index(candidate.full.need))
    choices: list[Choice] = []
    whole: set[tuple[str, int, str]] = set()
    remaining = budget
    for candidate in ordered:
        piece = candidate.full
        full = weigh(piece)
        if {piece.key, (piece.artifact, piece.version, "")} & whole:
            choice = Choice(piece, Form.DROPPED, 0, full, "It is there already.")
        elif piece.need == Need.MUST:
            choice = Choice(piece, Form.FULL, full, full, "It must be there.")
        else:
            why = f"Not even its title fits: left {max(remaining, 0)}."
            choice = Choice(piece, Form.DROPPED, 0, full, why)
            for shorter in candidate.forms:
                tokens = weigh(shorter)
                if tokens <= remaining:
                    is_full = shorter.form == Form.FULL
                    why = "It fits." if is_full else f"In full {full}, left {remaining}."
                    choice = Choice(shorter, shorter.form, tokens, full, why)
                    break
        choices.append(choice)
        remaining -= choice.tokens
        if choice.form == Form.FULL:
            whole.add(piece.key)
    if remaining < 0:
        raise DoesNotFit(choices, budget)
    return choices


@dataclass(frozen=True)
class Built:
    """`error` is (code, detail) where what must be there is missing or does not fit."""

    pieces: tuple[Piece, ...]
    items: list[dict[str, Any]]
    tokens: int
    sha256: str
    error: tuple[str, str] | None = None


def build_context(
    wants: list[Want],
    *,
    budget: int,
    weigh: Weigh,
    pinned: Mapping[str, str] = MappingProxyType({}),
) -> Built:
    """What the wants get below the budget, in tokens as `weigh` counts them. Reads only.

    Raises ContentChanged for a version without the digest that is `pinned`, or without its own.
    """
    versions, candidates, missing = load_versions(wants), [], []
    for version in versions.values():
        check_pinned(version, pinned)
    for want in wants:
        matches = expand(want, versions)
        candidates += matches
        if not matches:
            missing.append(want)
    if labels := [want.label for want in missing if want.need == Need.MUST]:
        detail = f"Nothing accepted matches what the step requires: {', '.join(labels)}."
        return _failed("context_missing", detail, [], missing)
    try:
        choices = fit(candidates, budget, weigh)
    except DoesNotFit as error:
        return _failed("context_too_large", error.detail, error.choices, missing)
    pieces = tuple(choice.piece for choice in choices if choice.form != Form.DROPPED)
    items = [*map(_item, choices), *map(_nothing, missing)]
    # Over what the agent gets to see, in its order.
    digests = [[*piece.key, str(piece.form), _hash(piece.text)] for piece in pieces]
    sha256 = hashlib.sha256(canonical(digests)).hexdigest()
    return Built(pieces, items, sum(choice.tokens for choice in choices), sha256)


def _failed(code: str, detail: str, choices: list[Choice], missing: list[Want]) -> Built:
    items = [*map(_item, choices), *map(_nothing, missing)]
    return Built((), items, 0, "", (code, detail))


def _item(choice: Choice) -> dict[str, Any]:
    piece = choice.piece
    return {
        "need": str(piece.need),
        "asked_for": piece.label,
        "artifact": piece.artifact,
        "version": piece.version,
        "artifact_type": piece.artifact_type,
        "title": piece.title,
        "part": piece.part,
        "form": str(choice.form),
        "tokens": choice.tokens,
        "full_tokens": choice.full_tokens,
        "sha256": _hash(piece.text) if choice.form != Form.DROPPED else "",
        "why": choice.why,
        # The rules that make a summary may change; a part in full is in the store.
        "text": piece.text if choice.form == Form.SUMMARY else "",
    }


def _nothing(want: Want) -> dict[str, Any]:
    return {
        "need": str(want.need),
        "asked_for": want.label,
        "artifact": None,
        "version": None,
        "artifact_type": "",
        "title": "",
        "part": "",
        "form": str(Form.DROPPED),
        "tokens": 0,
        "full_tokens": 0,
        "sha256": "",
        "why": "Nothing accepted matches.",
        "text": "",
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
