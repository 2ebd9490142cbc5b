"""Write the program that keeps records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from agents.offline.demands import Demand, Understood, Wanted
from agents.offline.entities import EntityIdea, FieldIdea
from agents.offline.limits import UNKNOWN, beyond, beyond_records
from agents.offline.naming import package_name
from agents.offline.program import Program, Test, honest, main_file, part, readme, tests_module
from agents.offline.records.shape import FEATURES, Design, ends, shaped, stock_field
from agents.offline.records.tests import tests_for
from agents.offline.records.understand import demands_of
from agents.offline.records.world import World, world_of
from agents.offline.words import plural

_CORE = ("records.py", "store.py", "catalogue.py", "tables.py", "cli.py")
_ACTION_OF = {
    "add": "add",
    "list": "list",
    "find": "find",
    "change": "change",
    "remove": "remove",
    "guard": "remove",
}


def understand(
    wanted: Sequence[Wanted], given: Iterable[EntityIdea], dropped: Mapping[str, str]
) -> tuple[World, list[Understood]]:
    """Each requirement with its demands, or with the reason why it cannot be built."""
    buildable = [w.statement for w in wanted if not _beyond(w.statement) and w.id not in dropped]
    later = [w.statement for w in wanted if w.id.startswith("CR-") and w.statement in buildable]
    world = world_of(buildable, given, later=later)
    return world, _superseded([_understood(w, world, dropped) for w in wanted])


def _beyond(statement: str) -> str:
    return beyond(statement) or beyond_records(statement)


def _superseded(understood: list[Understood]) -> list[Understood]:
    """A later number for the same thing takes the place of an earlier one."""
    last = {
        (d.kind, d.entity, d.fields): (u.wanted.id, d.number)
        for u in understood
        for d in _limits(u)
    }
    return [_or_replaced(u, last) for u in understood]


def _limits(u: Understood) -> list[Demand]:
    return [d for d in u.demands if isinstance(d, Demand) and d.kind in _SINGLE]


def _or_replaced(u: Understood, last: Mapping[tuple, tuple[str, int | None]]) -> Understood:
    for demand in _limits(u):
        by, number = last[demand.kind, demand.entity, demand.fields]
        if number != demand.number:
            return replace(u, demands=(), refusal=f"Replaced by {by}, which says {number} instead.")
    return u


_SINGLE = frozenset("loan_limit loan_days fee most booking_limit longest low range".split())


def _understood(wanted: Wanted, world: World, dropped: Mapping[str, str]) -> Understood:
    if reason := dropped.get(wanted.id) or _beyond(wanted.statement):
        return Understood(wanted, refusal=reason)
    demands = demands_of(wanted.statement, world) if world.entities else ()
    return Understood(wanted, demands, "" if demands else UNKNOWN)


def build(
    title: str,
    wanted: Sequence[Wanted],
    given: Iterable[EntityIdea] = (),
    dropped: Mapping[str, str] = MappingProxyType({}),
) -> Program:
    """The whole program with its tests."""
    world, understood = understand(wanted, given, dropped)
    design = Design(world, tuple(d for u in understood for d in u.demands))
    made = [
        test
        for u in understood
        for demand in u.demands
        for test in tests_for(u.wanted.id, demand, design)
    ]
    tests = tuple({test.function: test for test in made}.values())
    return _program(title, design, honest(understood, tests), tests)


def _program(
    title: str, design: Design, understood: tuple[Understood, ...], tests: tuple[Test, ...]
) -> Program:
    package = package_name(title)
    summary = (
        f"{title}: keeps "
        f"{_and([plural(n).replace('_', ' ') for n in design.world.names])} in one file."
    )
    features = design.features()
    files = {"main.py": main_file(package), f"{package}/__init__.py": ""}
    files |= {f"{package}/{name}": part("records", name) for name in _CORE}
    files |= {f"{package}/{m}.py": part("records", f"{m}.py") for m in _modules(features)}
    files[f"{package}/model.py"] = _model(design, features, summary, package)
    files |= {"tests/__init__.py": "", "tests/support.py": _support(package)}
    files["tests/test_requirements.py"] = tests_module(package, tests, setup=_SETUP)
    modules = _modules_by_requirement(package, understood)
    program = Program(
        "records",
        title,
        summary,
        package,
        files,
        modules,
        tests,
        understood,
        entities=tuple(shaped(design)),
        usage=_usage(design),
    )
    files["README.md"] = readme(program)
    return program


def _modules(features: list[str]) -> list[str]:
    return [FEATURES[name][0] for name in features]


def _modules_by_requirement(
    package: str, understood: tuple[Understood, ...]
) -> dict[str, tuple[str, ...]]:
    """Requirement ids by the module that serves them."""
    found: dict[str, list[str]] = {}
    for u in understood:
        for demand in u.demands:
            own = [m for m, kinds in FEATURES.values() if demand.kind in kinds.split()]
            for module in own or [_core_module(demand.kind)]:
                found.setdefault(f"{package}/{module}.py", []).append(u.wanted.id)
    return {module: tuple(dict.fromkeys(ids)) for module, ids in found.items()}


def _core_module(kind: str) -> str:
    if kind in ("fields", "required", "choices", "range"):
        return "records"
    return {"persist": "store", "terminal": "cli", "plain": "cli", "clear": "cli"}.get(
        kind, "catalogue"
    )


def _model(design: Design, features: list[str], summary: str, package: str) -> str:
    lines = ['"""What the program keeps, and by which rules."""', ""]
    imports = [f"from .{FEATURES[name][0]} import {name}" for name in features]
    lines += sorted([*imports, "from .records import Entity, Field"])
    lines += ["", f"SUMMARY = {summary!r}", f"DATA_FILE = {package + '.json'!r}", ""]
    for entity in shaped(design):
        lines += _entity(entity, design)
    if "Lending" in features:
        lines += _loan(design)
    names = [constant(entity.name) for entity in design.world.entities]
    names += ["LOAN"] if "Lending" in features else []
    lines += [f"ENTITIES = ({', '.join(names)},)" if names else "ENTITIES = ()"]
    made = [line for name in features for line in _feature(name, design)]
    lines += (
        ["FEATURES = (", *(f"    {line}," for line in dict.fromkeys(made)), ")"]
        if made
        else ["FEATURES = ()"]
    )
    return "\n".join(lines) + "\n"


def constant(name: str) -> str:
    upper = name.upper()
    return (
        f"{upper}_" if upper in ("ENTITIES", "FEATURES", "SUMMARY", "DATA_FILE", "LOAN") else upper
    )


def _entity(entity: EntityIdea, design: Design) -> list[str]:
    most = [d.number for d in design.all("most") if d.entity == entity.name]
    actions = [_ACTION_OF[d.kind] for d in design.all(*_ACTION_OF) if d.entity == entity.name]
    order = [
        a
        for a in ("add", "list", "show", "find", "change", "remove")
        if a in {*actions, "add", "list", "show"}
    ]
    lines = [
        f"{constant(entity.name)} = Entity(",
        f"    {entity.name!r},",
        f"    {plural(entity.name)!r},",
        "    (",
    ]
    lines += [f"        {_field(field, entity.name, design)}," for field in entity.fields]
    lines += ["    ),", f"    actions=({', '.join(map(repr, order))}),"]
    lines += [f"    most={most[-1]},"] if most else []
    return [*lines, ")"]


def _field(field: FieldIdea, entity: str, design: Design) -> str:
    extras = []
    if field.type not in ("text", "choice"):
        extras.append(f"{field.type!r}")
    extras += ["required=True"] if field.required else []
    extras += ["unique=True"] if field.unique else []
    extras += [f"choices={field.choices!r}"] if field.choices else []
    low, high = ends(field.name, entity, design)
    extras += [f"minimum={low}"] if low is not None else []
    extras += [f"maximum={high}"] if high is not None else []
    return f"Field({', '.join([repr(field.name), *extras])})"


def _loan(design: Design) -> list[str]:
    item, holder = design.world.item, design.world.holder
    return [
        "LOAN = Entity(",
        "    'loan',",
        "    'loans',",
        f"    (Field('item', 'reference', refers_to={item!r}),",
        f"     Field('holder', 'reference', refers_to={holder!r})),",
        "    actions=(),",
        ")",
    ]


def _feature(name: str, design: Design) -> list[str]:
    own = design.all(*FEATURES[name][1].split())
    first = constant(own[0].entity) if own and own[0].entity else ""
    if name == "Lending":
        return [_lending(design)]
    if name == "Booking":
        numbers = {"limit": "booking_limit", "minutes_at_most": "longest"}
        return [
            f"Booking({', '.join([constant(design.world.booked), *_numbers(design, numbers)])})"
        ]
    if name == "Stock":
        settings = [first, repr(stock_field(design)), *_numbers(design, {"low": "low"})]
        return [f"Stock({', '.join(settings)})"]
    if name == "Deadline":
        return [f"Deadline({first}, {own[0].fields[0]!r})"]
    if name == "Report":
        return list(_reports(own).values())
    if name == "Transfer":
        return [f"Transfer({constant(demand.entity)})" for demand in own]
    return [f"{name}({first})"]


def _reports(own: list[Demand]) -> dict[str, str]:
    """One report an entity; the one that says most wins."""
    ordered = sorted(own, key=lambda demand: bool(demand.fields) + bool(demand.text))
    return {
        d.entity: f"Report({constant(d.entity)}, by={(d.fields or ('',))[0]!r}, total={d.text!r})"
        for d in ordered
    }


def _lending(design: Design) -> str:
    settings = _numbers(
        design, {"days": "loan_days", "limit": "loan_limit", "fee_cents_per_day": "fee"}
    )
    if design.all("overdue", "blocked", "fee") and design.number("loan_days") is None:
        settings.append("days=28")
    if design.all("blocked"):
        settings.append("blocked_while_overdue=True")
    people = (constant(design.world.item), constant(design.world.holder))
    return f"Lending({', '.join([*people, *settings])})"


def _numbers(design: Design, settings: dict[str, str]) -> list[str]:
    found = {key: design.number(kind) for key, kind in settings.items()}
    return [f"{key}={value}" for key, value in found.items() if value is not None]


def _usage(design: Design) -> tuple[str, ...]:
    first = shaped(design)[0] if design.world.entities else None
    if first is None:
        return ()
    options = " ".join(f'--{f.name.replace("_", "-")} "..."' for f in first.fields if f.required)
    return (f"python3 main.py {first.name} add {options}", f"python3 main.py {first.name} list")


def _and(names: list[str]) -> str:
    return (
        names[0]
        if len(names) == 1
        else ", ".join(names[:-1]) + f" and {names[-1]}"
        if names
        else "records"
    )


_SETUP = "from tests.support import ProgramTest\n"


def _support(package: str) -> str:
    return part("support", "records.py").replace("PACKAGE", package)
