"""What a requirement asks for, in terms that a generator can build and test."""

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True)
class Wanted:
    """A requirement as the generators see it, wherever it came from."""

    id: str
    statement: str
    priority: str = "must"


@dataclass(frozen=True)
class Demand:
    """One thing to build. `kind` names it; the rest are its particulars."""

    kind: str
    entity: str = ""
    fields: tuple[str, ...] = ()
    number: int | None = None
    upper: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Understood:
    """A requirement with what it demands, or the reason why it cannot be built."""

    wanted: Wanted
    demands: tuple[Hashable, ...] = ()
    refusal: str = ""
