"""Write the program that calculates by rules."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from agents.offline.calculation.grammar import Condition, RuleIdea, rules_in
from agents.offline.calculation.tests import tests_for
from agents.offline.demands import Demand, Understood, Wanted
from agents.offline.entities import EntityIdea, FieldIdea
from agents.offline.limits import UNKNOWN, beyond
from agents.offline.naming import package_name
from agents.offline.parts.calculation.engine import Input, Rule, When
from agents.offline.program import Program, honest, main_file, one_line, part, readme, tests_module
from agents.offline.qualities import quality_demands

_EXPLAIN = re.compile(
    r"\b(?:line by line|breakdown|explain|how the (?:price|total|result)|which rules?|each "
    r"(?:part|step)|item by item|"
    r"where (?:it|each|every)|made up)\b",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"\b(?:show|list|print|see|read)\b[^.]{0,30}\b(?:rules|tariff|price list|conditions)\b",
    re.IGNORECASE,
)
_BATCH = re.compile(
    r"\bcsv\b|\b(?:whole|many|list of|several)\b[^.]{0,40}\b(?:at once|in one go|file)\b",
    re.IGNORECASE,
)
_ONE = re.compile(r"\b(?:calculat\w*|work out|compute|give|enter|tell)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Design:
    """All rules with the requirements that they come from, and the inputs that they need."""

    rules: tuple[Rule, ...]
    inputs: tuple[Input, ...]


def build(
    title: str,
    wanted: Sequence[Wanted],
    given: Iterable[EntityIdea] = (),
    dropped: Mapping[str, str] = MappingProxyType({}),
) -> Program:
    """The whole program with its tests."""
    understood = _superseded([_understood(w, dropped) for w in wanted])
    ideas = [(u.wanted, d) for u in understood for d in u.demands if isinstance(d, RuleIdea)]
    design = Design(
        tuple(_rule(w, idea) for w, idea in ideas), _inputs([idea for _, idea in ideas])
    )
    made = [t for u in understood for d in u.demands for t in tests_for(u.wanted.id, d, design)]
    tests = tuple({test.function: test for test in made}.values())
    return _program(title, design, honest(understood, tests), tests)


def _understood(wanted: Wanted, dropped: Mapping[str, str]) -> Understood:
    if reason := dropped.get(wanted.id) or beyond(wanted.statement):
        return Understood(wanted, refusal=reason)
    found = rules_in(wanted.statement) or _others(wanted.statement)
    return Understood(wanted, found, "" if found else UNKNOWN)


def _others(statement: str) -> tuple[Demand, ...]:
    if _BATCH.search(statement):
        return (Demand("batch"),)
    if _EXPLAIN.search(statement):
        return (Demand("explain"),)
    if _LIST.search(statement):
        return (Demand("rules"),)
    quality = tuple(d for d in quality_demands(statement) if d.kind != "persist")
    return quality or ((Demand("one"),) if _ONE.search(statement) else ())


def _superseded(understood: list[Understood]) -> list[Understood]:
    """A later rule about the same thing takes the place of an earlier one."""
    last = {key: u.wanted.id for u in understood for d in u.demands if (key := _same_thing(d))}
    return [_or_replaced(u, last) for u in understood]


def _same_thing(demand: object) -> tuple | None:
    if not isinstance(demand, RuleIdea):
        return None
    if demand.kind in ("least", "most"):
        return (demand.kind,)
    return (demand.kind, demand.when, demand.name, demand.amount < 0) if demand.when else None


def _or_replaced(u: Understood, last: Mapping[tuple, str]) -> Understood:
    by = {last[key] for d in u.demands if (key := _same_thing(d)) and last[key] != u.wanted.id}
    if not by:
        return u
    return replace(
        u, demands=(), refusal=f"Replaced by {', '.join(sorted(by))}, which says otherwise."
    )


def _rule(wanted: Wanted, idea: RuleIdea) -> Rule:
    when = tuple(When(c.name, c.test, c.value) for c in idea.when)
    return Rule(
        wanted.id, idea.kind, one_line(wanted.statement)[:150], idea.amount, when, idea.name
    )


def _inputs(ideas: list[RuleIdea]) -> tuple[Input, ...]:
    needed = {
        idea.name: idea.unit
        for idea in ideas
        if (idea.kind in ("step", "per") and not idea.when) or idea.kind == "step"
    }
    found = {name: Input(name, unit, required=True) for name, unit in needed.items()}
    for condition in (c for idea in ideas for c in _all_conditions(idea)):
        found.setdefault(
            condition.name, Input(condition.name, condition.unit, condition.test == "is")
        )
    return tuple(found.values())


def _all_conditions(idea: RuleIdea) -> tuple[Condition, ...]:
    own = (Condition(idea.name, "from", unit=idea.unit),) if idea.name else ()
    return (*idea.when, *own)


def _program(
    title: str, design: Design, understood: tuple[Understood, ...], tests: tuple
) -> Program:
    package = package_name(title)
    summary = f"{one_line(title)}: calculates by {len(design.rules)} rules and shows each of them."
    files = {"main.py": main_file(package), f"{package}/__init__.py": ""}
    files |= {f"{package}/{name}": part("calculation", name) for name in ("engine.py", "cli.py")}
    files[f"{package}/rules.py"] = _rules_file(design, summary)
    files |= {
        "tests/__init__.py": "",
        "tests/support.py": part("support", "calculation.py").replace("PACKAGE", package),
    }
    files["tests/test_requirements.py"] = tests_module(package, tests, setup=_SETUP)
    options = " ".join(f"{item.option} 1" for item in design.inputs if item.required)
    program = Program(
        "calculation", title, summary, package, files, _modules(package, understood),
        tests, understood,
        notes=("Surcharges come before percentages; percentages apply one after the other.",),
        entities=(_entity(design),), usage=(f"python3 main.py calculate "
                                            f"{options}", "python3 main.py rules"),
    )  # fmt: skip
    files["README.md"] = readme(program)
    return program


_SETUP = "from decimal import Decimal\n\nfrom tests.support import ProgramTest\n"


def _rules_file(design: Design, summary: str) -> str:
    lines = ['"""Every rule, in the order of the requirements that it comes from."""', ""]
    lines += ["from decimal import Decimal", "", "from .engine import Input, Rule, When", ""]
    lines += [f"SUMMARY = {summary!r}", "INPUTS = ("]
    lines += [f"    {_call('Input', item)}," for item in design.inputs]
    lines += [")", "RULES = ("]
    lines += [f"    {_call('Rule', rule)}," for rule in design.rules]
    return "\n".join([*lines, ")", ""])


def _call(name: str, item: Input | Rule) -> str:
    return repr(item) if repr(item).startswith(name) else f"{name}()"


def _modules(package: str, understood: tuple[Understood, ...]) -> dict[str, tuple[str, ...]]:
    ruled = [u.wanted.id for u in understood if any(isinstance(d, RuleIdea) for d in u.demands)]
    others = [u.wanted.id for u in understood if u.demands and u.wanted.id not in ruled]
    return {
        f"{package}/rules.py": tuple(ruled),
        f"{package}/engine.py": tuple(ruled),
        f"{package}/cli.py": tuple(others),
    }


def _entity(design: Design) -> EntityIdea:
    types = {True: "boolean", False: "decimal"}
    fields = (FieldIdea(item.name, types[item.is_flag], item.required) for item in design.inputs)
    return EntityIdea("inputs", tuple(fields) or (FieldIdea("none"),))
