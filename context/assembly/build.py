"""One build: from wants to pieces, with the record of what was chosen and why."""

import hashlib
from dataclasses import dataclass
from typing import Any

from audit.canonical import canonical
from context.assembly.expansion import expand, load_versions
from context.assembly.fit import Choice, DoesNotFit, Weigh, fit
from context.assembly.pieces import Piece
from context.assembly.wants import Want
from context.enums import Form, Need


@dataclass(frozen=True)
class Built:
    """`error` is (code, detail) where what must be there is missing or does not fit."""

    pieces: tuple[Piece, ...]
    items: list[dict[str, Any]]
    tokens: int
    sha256: str
    error: tuple[str, str] | None = None


def build_context(wants: list[Want], *, budget: int, weigh: Weigh) -> Built:
    """What the wants get below the budget, in tokens as `weigh` counts them. Reads only."""
    versions, candidates, missing = load_versions(wants), [], []
    for want in wants:
        found = expand(want, versions)
        candidates += found
        if not found:
            missing.append(want)
    if lost := [want.label for want in missing if want.need == Need.MUST]:
        detail = f"There is nothing accepted that is: {', '.join(lost)}."
        return _failed("context_missing", detail, [], missing)
    try:
        choices = fit(candidates, budget, weigh)
    except DoesNotFit as error:
        return _failed("context_too_large", error.detail, error.choices, missing)
    pieces = tuple(choice.piece for choice in choices if choice.form != Form.DROPPED)
    items = [*map(_item, choices), *map(_nothing, missing)]
    return Built(pieces, items, sum(choice.tokens for choice in choices), _digest(pieces))


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


def _digest(pieces: tuple[Piece, ...]) -> str:
    """Of what the agent gets to see, in its order."""
    shown = [[*piece.key, str(piece.form), _hash(piece.text)] for piece in pieces]
    return hashlib.sha256(canonical(shown)).hexdigest()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
