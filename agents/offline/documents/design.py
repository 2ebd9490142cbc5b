"""Architecture and implementation plan: parts that name the requirements they serve."""

from agents.offline.case import Case
from agents.offline.documents.notes import feedback_notes, not_covered
from agents.offline.entities import EntityIdea
from agents.offline.generators import KINDS
from agents.offline.program import TEST_COMMAND, Program
from context.schemas import ImplementationPlan, SystemArchitecture


def system_architecture(case: Case) -> SystemArchitecture:
    program = case.program
    return SystemArchitecture.model_validate(
        {
            "title": case.title,
            "overview": _overview(program),
            "components": components(program),
            "data_model": [_entity(entity) for entity in program.entities],
            "interfaces": [f"Command line: {line}" for line in program.usage],
            "decisions": _decisions(program),
            "not_covered": not_covered(case),
            "feedback": feedback_notes(case),
        }
    )


def implementation_plan(case: Case) -> ImplementationPlan:
    program = case.program
    return ImplementationPlan.model_validate(
        {
            "title": case.title,
            "approach": "First what others need, then the rules, then the command line, then "
            "the tests.",
            "items": _items(program),
            "test_strategy": _strategy(program),
            "not_covered": not_covered(case),
            "feedback": feedback_notes(case),
        }
    )


def components(program: Program) -> list[dict]:
    """One component for each module of the program, and one for its tests."""
    modules = [path for path in program.files if path.startswith(f"{program.package}/")]
    found = [_component(path, program) for path in modules if not path.endswith("__init__.py")]
    names = [component["name"] for component in found]
    for component in found:
        component["depends_on"] = _uses(component["name"], names, program)
    tests = {
        "name": "tests",
        "responsibility": "Shows for each covered requirement that it is met.",
        "requirements": list(program.covered()),
        "depends_on": ["cli"] if "cli" in names else [],
    }
    return [*found, tests]


def _component(path: str, program: Program) -> dict:
    return {
        "name": _name(path),
        "responsibility": _first_line(program.files[path]),
        "requirements": list(program.modules.get(path, ())),
        "depends_on": [],
    }


def _name(path: str) -> str:
    return path.rsplit("/", 1)[1].removesuffix(".py")


def _first_line(text: str) -> str:
    return text.split('"""')[1].strip().splitlines()[0] if '"""' in text else "Part of the program."


def _uses(name: str, names: list[str], program: Program) -> list[str]:
    text = program.files[f"{program.package}/{name}.py"]
    return [other for other in names if other != name and f"from .{other} import" in text]


def _overview(program: Program) -> str:
    return (
        f"{KINDS[program.kind].capitalize()}. One command is one run: the command line reads "
        f"what is asked, "
        "the modules below check and do it, the answer is printed. Python's standard library "
        "is enough."
    )


def _entity(entity: EntityIdea) -> dict:
    return {
        "name": entity.name,
        "description": "",
        "fields": [
            {
                "name": field.name,
                "type": field.type,
                "required": field.required,
                "unique": field.unique,
                "choices": list(field.choices),
            }
            for field in entity.fields
        ],
    }


def _decisions(program: Program) -> list[dict]:
    decisions = [
        _decision("Python's standard library "
                  "only", "Nothing to install, nothing to keep up to date.",
                  ["A framework: more to learn and to update than the task asks for."]),
        _decision("A command line", "It can be tested completely, and every computer has one.",
                  ["A web page: needs a server, accounts and somebody who looks after them."]),
    ]  # fmt: skip
    if program.kind == "records":
        decisions.append(
            _decision("One JSON file", "One user at a time; people can read and copy it.",
                      ["SQLite: better for many records, worse to look into."])
        )  # fmt: skip
    return decisions


def _decision(title: str, reason: str, alternatives: list[str]) -> dict:
    return {"title": title, "reason": reason, "alternatives": alternatives}


def _items(program: Program) -> list[dict]:
    parts = _in_order(components(program))
    items = [_item(n, part, program, parts) for n, part in enumerate(parts, start=1)]
    last = {
        "number": len(items) + 1,
        "title": "Describe the use, and what is missing",
        "detail": "The README names every requirement that is covered, and every one that is not.",
        "components": [],
        "requirements": [],
        "files": ["README.md", "main.py"],
        "needs": [len(items)],
    }
    return [*items, last]


def _in_order(parts: list[dict]) -> list[dict]:
    """What others need comes first; a circle is cut at its first member."""
    placed: list[dict] = []
    while waiting := [part for part in parts if part not in placed]:
        done = {part["name"] for part in placed}
        ready = [part for part in waiting if set(part["depends_on"]) <= done]
        placed.append((ready or waiting)[0])
    return placed


def _item(number: int, part: dict, program: Program, parts: list[dict]) -> dict:
    names = [other["name"] for other in parts]
    is_tests = part["name"] == "tests"
    files = [path for path in program.files if path.startswith("tests/")]
    needs = [names.index(name) + 1 for name in part["depends_on"]]
    return {
        "number": number,
        "title": f"Write {part['name']}",
        "detail": f"{part['responsibility']} Finished when its tests pass.",
        "components": [part["name"]],
        "requirements": part["requirements"],
        "files": files if is_tests else [f"{program.package}/{part['name']}.py"],
        "needs": [need for need in needs if need < number],
    }


def _strategy(program: Program) -> str:
    return (
        f"{len(program.tests)} tests for {len(program.covered())} requirements, each named "
        f"after its requirement; "
        f"they call the commands as a person would. Run with: {' '.join(TEST_COMMAND)}"
    )
