"""The cases by name, in the order in which a campaign runs them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chaos.run import Run


@dataclass(frozen=True)
class Case:
    name: str
    run: Callable[[Run], None]
    is_short: bool
    must_fail: bool
    is_last: bool

    @property
    def about(self) -> str:
        return (self.run.__doc__ or "").strip().splitlines()[0]


CASES: dict[str, Case] = {}


def in_order(names: Iterable[str]) -> list[str]:
    """These as a campaign runs them."""
    return sorted(names, key=lambda name: CASES[name].is_last)


def case(*, short: bool = False, must_fail: bool = False, last: bool = False) -> Callable:
    """`must_fail`: a negative control; a campaign in which it holds proves nothing.

    `last`: after it less can be told of what clients wrote down.
    """

    def register(run: Callable[[Run], None]) -> Callable[[Run], None]:
        CASES[run.__name__] = Case(run.__name__, run, short, must_fail, last)
        return run

    return register
