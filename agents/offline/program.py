"""A finished program: its files, what it covers, and what it does not."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from agents.offline.demands import Understood
from agents.offline.entities import EntityIdea

_PARTS = Path(__file__).parent / "parts"
TEST_COMMAND = ["python3", "-m", "unittest", "discover", "-s", "tests", "-v"]


@dataclass(frozen=True)
class Test:
    """One test function of a generated program."""

    __test__ = False

    requirement: str
    name: str
    lines: tuple[str, ...]

    @property
    def function(self) -> str:
        return f"test_{self.requirement.lower().replace('-', '_')}_{self.name}"


@dataclass(frozen=True)
class Program:
    """What a generator made of the requirements."""

    kind: str
    title: str
    summary: str
    package: str
    files: dict[str, str]
    modules: dict[str, tuple[str, ...]]
    tests: tuple[Test, ...]
    understood: tuple[Understood, ...]
    entities: tuple[EntityIdea, ...] = ()
    usage: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def covered(self) -> dict[str, list[str]]:
        """Names of the tests by requirement; only requirements that have some."""
        found: dict[str, list[str]] = {}
        for test in self.tests:
            found.setdefault(test.requirement, []).append(test.function)
        return found

    def not_covered(self) -> dict[str, str]:
        return {u.wanted.id: u.refusal for u in self.understood if u.refusal}


def honest(understood: Iterable[Understood], tests: tuple[Test, ...]) -> tuple[Understood, ...]:
    """What has no test is not covered, whatever was understood."""
    tested = {test.requirement for test in tests}
    return tuple(
        u if u.refusal or u.wanted.id in tested else replace(u, demands=(), refusal=_NO_TEST)
        for u in understood
    )


_NO_TEST = "The offline rules could not write a test for it, so it is not claimed."


def part(kind: str, name: str) -> str:
    """The text of a ready-made module."""
    return (_PARTS / kind / name).read_text(encoding="utf-8")


def main_file(package: str) -> str:
    return (
        '"""Start the program: python3 main.py --help"""\n\nimport sys\n\n'
        f"from {package}.cli import main\n\n"
        'if __name__ == "__main__":\n    sys.exit(main())\n'
    )


def tests_module(package: str, tests: tuple[Test, ...], *, setup: str) -> str:
    """All tests as one module, one class a requirement, after the program's own support module."""
    blocks = [f'"""What was asked for, checked one requirement at a time."""\n\n{setup}']
    ids = list(dict.fromkeys(test.requirement for test in tests))
    for requirement in ids:
        own = [test for test in tests if test.requirement == requirement]
        blocks.append(_test_class(requirement, own))
    return "\n\n".join(block.rstrip() + "\n" for block in blocks)


def _test_class(requirement: str, tests: list[Test]) -> str:
    name = requirement.title().replace("-", "")
    body = "\n".join(_test_function(test) for test in tests)
    return f"class {name}Test(ProgramTest):\n{body}"


def _test_function(test: Test) -> str:
    inner = "\n".join(f"        {line}" if line else "" for line in test.lines)
    return f"    def {test.function}(self):\n{inner}\n"


def readme(program: "Program") -> str:
    """How to use the program, and what is not in it."""
    asked = {u.wanted.id: u.wanted.statement for u in program.understood}
    lines = [f"# {one_line(program.title)}", "", one_line(program.summary), "", "## Use", ""]
    lines += [
        "```",
        "python3 main.py --help",
        *program.usage,
        "```",
        "",
        "Needs Python 3.11 or newer and nothing else.",
        "",
    ]
    lines += ["## Tests", "", "```", " ".join(TEST_COMMAND), "```", "", "## What it does", ""]
    lines += [f"- {key}: {one_line(asked[key])}" for key in program.covered() if key in asked]
    if missing := program.not_covered():
        lines += ["", "## What it does not do", ""]
        lines += [f"- {key}: {one_line(asked[key])} ({reason})" for key, reason in missing.items()]
    lines += ["", "Written by the offline rules of Paraph.", ""]
    return "\n".join(lines)


def one_line(text: str) -> str:
    """Words of people in one line, harmless in Markdown."""
    return " ".join(text.split()).replace("<", "&lt;").replace("`", "'")
