"""Write the tests of a program that calculates: each rule at its very edge."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from agents.offline.calculation.grammar import RuleIdea
from agents.offline.demands import Demand
from agents.offline.parts.calculation.engine import CENT, Problem, Rule, calculate, total
from agents.offline.program import Test
from agents.offline.qualities import program_tests

if TYPE_CHECKING:
    from agents.offline.calculation.build import Design

Inputs = dict[str, Decimal]
_A_BIT = Decimal("0.01")


def tests_for(requirement: str, demand: RuleIdea | Demand, design: Design) -> list[Test]:
    """The tests that show that a rule holds; none if other rules hide it."""
    if isinstance(demand, Demand):
        made = _other(demand, design)
    else:
        made = _rule_tests(requirement, demand, design)
    return [Test(requirement, name, tuple(lines)) for name, lines in made.items() if lines]


def _rule_tests(requirement: str, idea: RuleIdea, design: Design) -> dict[str, list[str]]:
    named = {"step": f"price_{_plain(idea)}", "per": f"price_per_{idea.name}"}
    name = named.get(idea.kind, f"rule_{idea.kind}_{_plain(idea)}")
    others = [r for r in design.rules if not (r.source == requirement and _is(r, idea))]
    for scale in _SCALES:
        inside, outside = _edge(idea, design, scale)
        lines = _compared(idea, inside, outside, others, design) if inside is not None else []
        if lines:
            return {name: lines}
    return {}


# Amounts per unit are tried in growing numbers until no bound of the total hides the rule.
_SCALES = (Decimal(1), Decimal(3), Decimal(10), Decimal(40))


def _is(rule: Rule, idea: RuleIdea) -> bool:
    same = tuple((w.name, w.test, w.value) for w in rule.when) == tuple(
        (c.name, c.test, c.value) for c in idea.when
    )
    return same and rule.kind == idea.kind and rule.amount == idea.amount


def _plain(idea: RuleIdea) -> str:
    if not idea.when:
        return "always"
    condition = idea.when[0]
    value = "" if condition.test == "is" else f"_{str(condition.value).replace('.', '_')}"
    return f"{condition.test.replace(' ', '_')}{value}_{condition.name}"


def _edge(idea: RuleIdea, design: Design, scale: Decimal) -> tuple[Inputs | None, Inputs | None]:
    """Inputs for which the rule just holds, and others for which it just does not."""
    inside = _neutral(design)
    per = [r.name for r in design.rules if r.kind == "per" and r.name in inside]
    inside |= dict.fromkeys(per, scale)
    if idea.name and idea.kind == "per":
        inside[idea.name] = 3 * scale
    for condition in idea.when:
        inside[condition.name] = _holding(condition.test, condition.value)
    if not idea.when:
        return inside, None
    first = idea.when[0]
    outside = dict(inside)
    if first.test == "is":
        del outside[first.name]
    else:
        outside[first.name] = _failing(first.test, first.value)
        if outside[first.name] < 0:
            return None, None
    return inside, outside


def _holding(test: str, value: Decimal) -> Decimal:
    return {"over": value + _A_BIT, "from": value, "under": value - _A_BIT, "up to": value}.get(
        test, Decimal(1)
    )


def _failing(test: str, value: Decimal) -> Decimal:
    return {"over": value, "from": value - _A_BIT, "under": value, "up to": value + _A_BIT}[test]


def _neutral(design: Design) -> Inputs:
    """Only what must be given, as small as the first step allows."""
    inputs: Inputs = {}
    for item in design.inputs:
        if item.required:
            steps = [
                r.when[0].value for r in design.rules if r.kind == "step" and r.name == item.name
            ]
            inputs[item.name] = min([*steps, Decimal(1)])
    return inputs


def _compared(
    idea: RuleIdea, inside: Inputs, outside: Inputs | None, others: list[Rule], design: Design
) -> list[str]:
    """What the rule adds to a result that the other rules make, worked out here by hand."""
    without, result = _total(others, inside), _total(design.rules, inside)
    if idea.kind == "refuse":
        calm = outside is None or _total(design.rules, outside) is not None
        return (
            [f"self.refused({_words(inside, design)})"]
            + ([f"self.total({_words(outside, design)})"] if outside and calm else [])
            if result is None
            else []
        )
    if idea.kind == "step":
        return _step(idea, inside, outside, design)
    expected = None if without is None else _expected(idea, without, inside)
    if expected is None or expected != result:
        return []
    lines = [_equal(inside, expected, design)]
    if outside is not None and (calm := _total(others, outside)) is not None:
        lines.append(_equal(outside, calm, design))
    return lines if idea.kind != "least" and idea.kind != "most" else _bound(idea, design)


def _expected(idea: RuleIdea, without: Decimal, inputs: Inputs) -> Decimal | None:
    amounts = {
        "price": without + idea.amount,
        "per": without + idea.amount * inputs.get(idea.name, Decimal(0)),
        "percent": without + (without * idea.amount / 100).quantize(CENT, ROUND_HALF_UP),
        "free": Decimal(0),
        "least": max(without, idea.amount),
        "most": min(without, idea.amount),
    }
    return amounts[idea.kind].quantize(CENT, ROUND_HALF_UP)


def _bound(idea: RuleIdea, design: Design) -> list[str]:
    """The smallest result for a least, a big one for a most; only if the bound is felt."""
    inputs = _neutral(design)
    if idea.kind == "most":
        per = [r.name for r in design.rules if r.kind == "per" and r.name in inputs]
        inputs |= {name: Decimal(1000) for name in per}
    felt = _total(design.rules, inputs) == idea.amount.quantize(CENT)
    return [_equal(inputs, idea.amount.quantize(CENT), design)] if felt else []


def _step(idea: RuleIdea, inside: Inputs, outside: Inputs | None, design: Design) -> list[str]:
    result = _total(design.rules, inside)
    steps = [r for r in design.rules if r.kind == "step"]
    if result is None or _total(steps, inside) is None:
        return []
    rest = result - _total(steps, inside)
    others = sum((r.amount for r in _other_steps(idea, inside, design)), Decimal(0))
    lines = [_equal(inside, (rest + others + idea.amount).quantize(CENT), design)]
    if outside is not None:
        beyond = _total(design.rules, outside)
        words = _words(outside, design)
        lines.append(
            f"self.refused({words})"
            if beyond is None
            else f"self.assertNotEqual(self.total({words}), Decimal({str(lines and result)!r}))"
        )
    return lines if beyond_differs(result, outside, design) else lines[:1]


def beyond_differs(result: Decimal, outside: Inputs | None, design: Design) -> bool:
    return outside is not None and _total(design.rules, outside) != result


def _other_steps(idea: RuleIdea, inputs: Inputs, design: Design) -> list[Rule]:
    """The steps of other inputs that apply as well."""
    names = dict.fromkeys(r.name for r in design.rules if r.kind == "step" and r.name != idea.name)
    found = []
    for name in names:
        own = sorted(
            (r for r in design.rules if r.kind == "step" and r.name == name),
            key=lambda r: r.when[0].value,
        )
        found += [r for r in own if r.applies(inputs)][:1]
    return found


def _total(rules: Mapping | tuple | list, inputs: Inputs) -> Decimal | None:
    try:
        return total(calculate(rules, inputs))
    except Problem:
        return None


def _words(inputs: Inputs, design: Design) -> str:
    flags = {item.name for item in design.inputs if item.is_flag}
    words: list[str] = []
    for name, value in inputs.items():
        words += ["--" + name.replace("_", "-")] + ([] if name in flags else [str(value)])
    return ", ".join(map(repr, words))


def _equal(inputs: Inputs, expected: Decimal, design: Design) -> str:
    return f"self.assertEqual(self.total({_words(inputs, design)}), Decimal({str(expected)!r}))"


def _other(demand: Demand, design: Design) -> dict[str, list[str]]:
    inputs = _neutral(design)
    result = _total(design.rules, inputs)
    words = _words(inputs, design)
    if demand.kind in ("one", "explain") and result is not None:
        lines = [
            f"text = self.works('calculate'{', ' if words else ''}{words})",
            "rows = text.splitlines()",
        ]
        lines.append("amounts = [Decimal(row.split()[0]) for row in rows]")
        lines.append("self.assertEqual(sum(amounts[:-1]), amounts[-1])")
        lines.append(f"self.assertEqual(amounts[-1], Decimal({str(result)!r}))")
        return {"the_lines_add_up_to_the_total": lines}
    if demand.kind == "rules" and design.rules:
        lines = ["text = self.works('rules')"]
        return {
            "every_rule_is_shown": [
                *lines,
                *[f"self.assertIn({r.source + ':'!r}, text)" for r in design.rules],
            ]
        }
    if demand.kind == "batch" and result is not None:
        return {"a_file_is_calculated_row_by_row": _batch(inputs, result)}
    first = f"self.refused({_words({k: Decimal(1) for k in inputs}, design)}, '--nonsense', '1')"
    wrong = next((i for i in design.inputs if not i.is_flag), None)
    clear = [first]
    if wrong is not None:
        clear.append(f"text = self.refused({_wrong(inputs, wrong.name, design)})")
        clear.append(f"self.assertIn({wrong.option!r}, text)")
    return program_tests(demand, names=("calculate",), clear=clear)


def _wrong(inputs: Inputs, name: str, design: Design) -> str:
    words = _words({k: v for k, v in inputs.items() if k != name}, design)
    own = f"{'--' + name.replace('_', '-')!r}, 'many'"
    return f"{words}, {own}" if words else own


def _batch(inputs: Inputs, result: Decimal) -> list[str]:
    head = ",".join(inputs) or "none"
    row = ",".join(map(str, inputs.values())) or "1"
    return [
        "path = self.folder / 'in.csv'",
        f"path.write_text({head + chr(10) + row + chr(10)!r}, encoding='utf-8')",
        f"self.assertIn({'line 2: ' + str(result)!r}, self.works('batch', str(path)))",
    ]
