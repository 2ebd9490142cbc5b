"""Apply rules to inputs, and say for each line of the result where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


class Problem(Exception):
    """Something that the person at the keyboard can put right."""


@dataclass(frozen=True)
class Input:
    """A number with a unit, or a yes-or-no."""

    name: str
    unit: str = ""
    is_flag: bool = False
    required: bool = False

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")


@dataclass(frozen=True)
class When:
    """A condition on one input. What was not given fulfils none."""

    name: str
    test: str
    value: Decimal = Decimal(0)

    def holds(self, inputs: Mapping[str, Decimal]) -> bool:
        given = inputs.get(self.name)
        return given is not None and TESTS[self.test](given, self.value)


TESTS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "over": lambda given, value: given > value,
    "from": lambda given, value: given >= value,
    "under": lambda given, value: given < value,
    "up to": lambda given, value: given <= value,
    "is": lambda given, value: given > 0,
}


@dataclass(frozen=True)
class Rule:
    """One rule. `kind`: step, price, per, percent, free, least, most or refuse."""

    source: str
    kind: str
    text: str
    amount: Decimal = Decimal(0)
    when: tuple[When, ...] = ()
    name: str = ""

    def applies(self, inputs: Mapping[str, Decimal]) -> bool:
        return all(condition.holds(inputs) for condition in self.when)


@dataclass(frozen=True)
class Line:
    """One line of the result."""

    source: str
    text: str
    amount: Decimal


def calculate(rules: Sequence[Rule], inputs: Mapping[str, Decimal]) -> list[Line]:
    """The lines that make up the result. Raises Problem where a rule refuses."""
    active = [rule for rule in rules if rule.applies(inputs)]
    for rule in active:
        if rule.kind == "refuse":
            raise Problem(f"refused: {rule.text} ({rule.source})")
    lines = _steps(rules, inputs)
    lines += [_line(rule, rule.amount) for rule in active if rule.kind == "price"]
    lines += [_line(r, r.amount * inputs.get(r.name, 0)) for r in active if r.kind == "per"]
    for kind in ("percent", "least", "most", "free"):
        for rule in active:
            if rule.kind == kind:
                lines += _adjusted(rule, total(lines))
    return lines


def total(lines: Sequence[Line]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0)).quantize(CENT, ROUND_HALF_UP)


def _line(rule: Rule, amount: Decimal) -> Line:
    return Line(rule.source, rule.text, amount.quantize(CENT, ROUND_HALF_UP))


def _steps(rules: Sequence[Rule], inputs: Mapping[str, Decimal]) -> list[Line]:
    """The smallest step that fits, for each input that has steps."""
    lines = []
    steps = [rule for rule in rules if rule.kind == "step"]
    for name in dict.fromkeys(rule.name for rule in steps):
        own = sorted((r for r in steps if r.name == name), key=lambda rule: rule.when[0].value)
        fitting = next((rule for rule in own if rule.applies(inputs)), None)
        if fitting is None:
            raise Problem(f"there is no price for this {name.replace('_', ' ')}")
        lines.append(_line(fitting, fitting.amount))
    return lines


def _adjusted(rule: Rule, so_far: Decimal) -> list[Line]:
    if rule.kind == "percent":
        return [_line(rule, so_far * rule.amount / 100)]
    if rule.kind == "free":
        return [_line(rule, -so_far)] if so_far else []
    missing = rule.amount - so_far
    if (rule.kind == "least" and missing > 0) or (rule.kind == "most" and missing < 0):
        return [_line(rule, missing)]
    return []
