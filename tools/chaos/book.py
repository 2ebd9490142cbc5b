"""The cases by name, in the order in which a campaign runs them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tools.chaos.run import Run
from tools.chaos.stack import Dress


@dataclass(frozen=True)
class Case:
    name: str
    run: Callable[[Run], None]
    is_short: bool
    must_fail: bool
    is_last: bool
    workers: Dress
    is_dressed: bool

    @property
    def about(self) -> str:
        return (self.run.__doc__ or "").strip().splitlines()[0]


CASES: dict[str, Case] = {}


def in_order(names: Iterable[str]) -> list[str]:
    """These as a campaign runs them."""
    return sorted(names, key=lambda name: (CASES[name].is_last, CASES[name].is_dressed))


def case(
    *,
    short: bool = False,
    must_fail: bool = False,
    last: bool = False,
    workers: Dress | None = None,
) -> Callable:
    """`must_fail`: a negative control; a campaign in which it holds proves nothing.

    `last`: after it less can be told of what clients wrote down. `workers`: what they have in their
    environment; cases that name any come one after the other, and between those that want the same
    nothing is started anew.
    """

    def register(run: Callable[[Run], None]) -> Callable[[Run], None]:
        CASES[run.__name__] = Case(
            run.__name__, run, short, must_fail, last, workers or {}, workers is not None
        )
        return run

    return register
