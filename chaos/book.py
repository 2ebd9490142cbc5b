"""The cases by name, in the order in which a campaign runs them."""

from collections.abc import Callable
from dataclasses import dataclass

from chaos.run import Run


@dataclass(frozen=True)
class Case:
    name: str
    run: Callable[[Run], None]
    is_short: bool
    must_fail: bool

    @property
    def about(self) -> str:
        return (self.run.__doc__ or "").strip().splitlines()[0]


CASES: dict[str, Case] = {}


def case(*, short: bool = False, must_fail: bool = False) -> Callable:
    """`must_fail`: a negative control; a campaign in which it holds proves nothing."""

    def register(run: Callable[[Run], None]) -> Callable[[Run], None]:
        CASES[run.__name__] = Case(run.__name__, run, short, must_fail)
        return run

    return register
