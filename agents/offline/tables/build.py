"""Write the program that reads a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from agents.offline.demands import Demand, Understood, Wanted
from agents.offline.entities import EntityIdea, FieldIdea, described
from agents.offline.limits import UNKNOWN, beyond
from agents.offline.naming import package_name
from agents.offline.program import Program, honest, main_file, one_line, part, readme, tests_module
from agents.offline.qualities import quality_demands
from agents.offline.tables.grammar import columns_in, demands_in
from agents.offline.tables.tests import tests_for

Columns = tuple[tuple[str, str], ...]
_DEFAULT: Columns = (
    ("date", "date"),
    ("description", "text"),
    ("category", "text"),
    ("amount", "number"),
)
_TYPES = {"number": "decimal", "date": "date", "text": "text"}
_KINDS = {"decimal": "number", "integer": "number", "date": "date"}


@dataclass(frozen=True)
class Design:
    """The table, and everything that is wanted of it."""

    columns: Columns
    demands: tuple[Demand, ...]
    assumed: bool = False

    def last(self, kind: str) -> Demand | None:
        """What is said later counts."""
        return next((d for d in reversed(self.demands) if d.kind == kind), None)

    def has(self, kind: str) -> bool:
        return self.last(kind) is not None


def build(
    title: str,
    wanted: Sequence[Wanted],
    given: Iterable[EntityIdea] = (),
    dropped: Mapping[str, str] = MappingProxyType({}),
) -> Program:
    """The whole program with its tests."""
    columns, assumed = _columns(wanted, list(given))
    understood = [_understood(w, columns, dropped) for w in wanted]
    design = Design(columns, tuple(d for u in understood for d in u.demands), assumed)
    made = [t for u in understood for d in u.demands for t in tests_for(u.wanted.id, d, design)]
    tests = tuple({test.function: test for test in made}.values())
    return _program(title, design, honest(understood, tests), tests)


def _columns(wanted: Sequence[Wanted], given: list[EntityIdea]) -> tuple[Columns, bool]:
    if given:
        return tuple((f.name, _KINDS.get(f.type, "text")) for f in given[0].fields), False
    for statement in (w.statement for w in wanted):
        if found := columns_in(statement):
            return found, False
    for statement in (w.statement for w in wanted):
        if idea := described(statement):
            return tuple((f.name, _KINDS.get(f.type, "text")) for f in idea.fields), False
    return _DEFAULT, True


def _understood(wanted: Wanted, columns: Columns, dropped: Mapping[str, str]) -> Understood:
    if reason := dropped.get(wanted.id) or beyond(wanted.statement):
        return Understood(wanted, refusal=reason)
    found = demands_in(wanted.statement, columns) or tuple(
        d for d in quality_demands(wanted.statement) if d.kind != "persist"
    )
    return Understood(wanted, found, "" if found else UNKNOWN)


def _program(
    title: str, design: Design, understood: tuple[Understood, ...], tests: tuple
) -> Program:
    package = package_name(title)
    summary = (
        f"{one_line(title)}: reads a CSV file with "
        f"{', '.join(name for name, _ in design.columns)} and reports on it."
    )
    files = {"main.py": main_file(package), f"{package}/__init__.py": ""}
    files |= {
        f"{package}/{name}": part("tables", name)
        for name in ("reading.py", "sections.py", "figures.py", "cli.py")
    }
    files[f"{package}/settings.py"] = _settings(design, summary)
    files |= {
        "tests/__init__.py": "",
        "tests/support.py": part("support", "tables.py").replace("PACKAGE", package),
    }
    files["tests/test_requirements.py"] = tests_module(
        package, tests, setup="from tests.support import ProgramTest\n"
    )
    fields = tuple(
        FieldIdea(name, _TYPES[kind], required=kind != "text") for name, kind in design.columns
    )
    program = Program(
        "tables", title, summary, package, files, _modules(package, understood), tests, understood,
        entities=(EntityIdea("row", fields),),
        usage=("python3 main.py report input.csv", "python3 main.py check input.csv"),
        notes=_notes(design),
    )  # fmt: skip
    files["README.md"] = readme(program)
    return program


def _notes(design: Design) -> tuple[str, ...]:
    if not design.assumed:
        return ()
    return (
        f"Nobody named the columns; these were assumed: "
        f"{', '.join(name for name, _ in design.columns)}.",
    )


def sections(design: Design) -> list[Demand]:
    """Every figure once; what is said later about the same figure counts."""
    return list({(d.entity, d.fields): d for d in design.demands if d.kind == "section"}.values())


def _settings(design: Design, summary: str) -> str:
    top, flag = design.last("top"), design.last("flag")
    lines = [
        '"""What the table looks like, and what is reported."""',
        "",
        "from decimal import Decimal",
        "",
        "from .sections import Section",
        "",
    ]
    lines += [f"SUMMARY = {summary!r}", f"COLUMNS = {design.columns!r}"]
    lines += [
        f"DROP_DUPLICATES = {design.has('duplicates')}",
        f"IGNORE_CASE = {design.has('case')}",
    ]
    lines.append(f"TOP = ({top.fields[0]!r}, {top.number})" if top else "TOP = ()")
    lines.append(f"FLAG = ({flag.fields[0]!r}, Decimal({flag.text!r}))" if flag else "FLAG = ()")
    lines.append("SECTIONS = (")
    lines += [f"    {_section(d)}," for d in sections(design)]
    return "\n".join([*lines, ")", ""])


def _section(d: Demand) -> str:
    first = ", largest_first=True" if d.text else ""
    return f"Section({d.entity!r}, {d.fields[0]!r}, {d.fields[1]!r}{first})"


def _modules(package: str, understood: tuple[Understood, ...]) -> dict[str, tuple[str, ...]]:
    homes = {"section": "figures", "top": "figures", "flag": "figures"}
    homes |= dict.fromkeys(
        ("columns", "read", "bad", "duplicates", "case", "trim", "decimal", "dates", "separator"),
        "reading",
    )
    found: dict[str, list[str]] = {}
    for u in understood:
        for demand in u.demands:
            found.setdefault(f"{package}/{homes.get(demand.kind, 'cli')}.py", []).append(
                u.wanted.id
            )
    return {path: tuple(dict.fromkeys(ids)) for path, ids in found.items()}
