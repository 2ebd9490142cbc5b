"""Which tests the text of a program has, read without running any of it.

A test is a `test*` method of a `unittest.TestCase`, its own or inherited within the program, or a
`test_*` function, in a file that is called like a test.
"""

import ast
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

TEST_FILE = re.compile(r"(?:^|/)(?:test[^/]*|[^/]*_test)\.py$")
MAX_TESTS = 5_000
MAX_NAME = 300
_BLOCKS = (ast.If, ast.Try, ast.With)


@dataclass
class TestClass:
    """A class as it stands in the text; bases by their last name."""

    __test__ = False

    file: str
    name: str
    bases: list[str]
    tests: list[str]


@dataclass
class Module:
    """What of one file matters here."""

    classes: list[TestClass] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    #: Name here: (module it comes from, name there).
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


def inventory(files: Mapping[str, bytes]) -> dict:
    """`{modules: [{file, name, path, tests: [[class, method]]}], problems: [text]}`."""
    modules, problems = {}, []
    for path in sorted(path for path in files if path.endswith(".py")):
        try:
            tree = ast.parse(files[path])
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if TEST_FILE.search(path):
                line = getattr(error, "lineno", None)
                where = f"{path}, line {line}" if line else path
                problems.append(f"{where}: not readable as Python ({type(error).__name__}).")
            continue
        modules[path] = _module(path, tree, problems if TEST_FILE.search(path) else [])
    listed = []
    total = 0
    for path, module in modules.items():
        if not TEST_FILE.search(path):
            continue
        tests = list(_tests_of(module, modules))
        total += len(tests)
        if any(len(f"{case}.{name}") > MAX_NAME for case, name in tests):
            problems.append(f"{path}: the name of a test is longer than {MAX_NAME} characters.")
        elif tests and total <= MAX_TESTS:
            listed.append({"file": path, **_importable(path, files), "tests": tests})
    if total > MAX_TESTS:
        problems.append(f"There are {total} tests; at most {MAX_TESTS} are run.")
    return {"modules": listed, "problems": problems}


def _module(path: str, tree: ast.Module, problems: list[str]) -> Module:
    module = Module()
    for statement in _statements(tree.body):
        if isinstance(statement, ast.ImportFrom):
            for name in statement.names:
                module.imports[name.asname or name.name] = (statement.module or "", name.name)
        elif isinstance(statement, ast.ClassDef):
            tests = [name for name in _functions(statement.body) if name.startswith("test")]
            bases = [name for base in statement.bases if (name := _last_name(base))]
            module.classes.append(TestClass(path, statement.name, bases, tests))
            problems += [f"{path}: {statement.name}.{t}" for t in _doubled(statement.body, tests)]
    functions = list(_functions(tree.body))
    module.functions = [name for name in functions if name.startswith("test_")]
    names = [c.name for c in module.classes if c.tests] + module.functions
    problems += [f"{path}: {name}" for name in _doubled(tree.body, names)]
    if "load_tests" in functions:
        problems.append(
            f"{path}: load_tests chooses tests while the program runs, and is not followed. "
            "Write tests as methods of a unittest.TestCase."
        )
    return module


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Of a module or class, also those under a condition."""
    for statement in body:
        yield statement
        if isinstance(statement, _BLOCKS):
            yield from _statements(statement.body)
            yield from _statements(getattr(statement, "orelse", []))
            for handler in getattr(statement, "handlers", []):
                yield from _statements(handler.body)


def _functions(body: list[ast.stmt]) -> Iterator[str]:
    for statement in _statements(body):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield statement.name


def _doubled(body: list[ast.stmt], names: list[str]) -> Iterator[str]:
    """Of two definitions of one name in one place only the last is ever run."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    defined = Counter(statement.name for statement in body if isinstance(statement, kinds))
    for name in dict.fromkeys(names):
        if defined[name] > 1:
            yield f"{name} is written {defined[name]} times; only the last of them can be run."


def _last_name(base: ast.expr) -> str:
    """`TestCase` of `unittest.TestCase`; '' for what only running it could tell."""
    if isinstance(base, ast.Attribute):
        return base.attr
    return base.id if isinstance(base, ast.Name) else ""


def _tests_of(module: Module, modules: Mapping[str, Module]) -> Iterator[tuple[str, str]]:
    every = [c for other in modules.values() for c in other.classes]
    used_as_base = {
        id(base) for c in every for name in c.bases for base in _bases(c, name, modules)
    }
    for case in {c.name: c for c in module.classes}.values():
        ancestors = _ancestors(case, modules, {})
        is_case = any(
            name.endswith("TestCase") and not _bases(c, name, modules)
            for c in ancestors
            for name in c.bases
        )
        names = sorted({name for c in ancestors for name in c.tests})
        if not is_case:
            # It may be meant as a test, and is asked for, unless it lends its methods to others.
            is_lent = id(case) in used_as_base
            names = [name for name in names if name.startswith("test_") and not is_lent]
        for name in names:
            yield case.name, name
    for name in dict.fromkeys(module.functions):
        yield "", name


def _ancestors(case: TestClass, modules: Mapping[str, Module], seen: dict) -> list[TestClass]:
    """The class and those of the program that it comes from."""
    if id(case) not in seen:
        seen[id(case)] = case
        for name in case.bases:
            for base in _bases(case, name, modules):
                _ancestors(base, modules, seen)
    return list(seen.values())


def _bases(case: TestClass, name: str, modules: Mapping[str, Module]) -> list[TestClass]:
    """The classes of the program that a base may be: by file, by import, else by name alone."""
    here = modules[case.file]
    if own := [c for c in here.classes if c.name == name and c is not case]:
        return own
    source, original = here.imports.get(name, ("", name))
    named = [c for m in modules.values() for c in m.classes if c.name == original and c is not case]
    end = source.replace(".", "/")
    imported = [c for c in named if end and c.file.removesuffix(".py").endswith(end)]
    return imported or named


def _importable(path: str, files: Mapping[str, bytes]) -> dict:
    """The name a file is imported by, and what has to be on the path for that."""
    folder, _, stem = path.removesuffix(".py").rpartition("/")
    parts, top = [stem], folder
    while top and f"{top}/__init__.py" in files:
        top, _, name = top.rpartition("/")
        parts.insert(0, name)
    return {"name": ".".join(parts), "path": list(dict.fromkeys([top, folder, ""]))}


def read(folder: str) -> dict[str, bytes]:
    """The files beneath a folder, by relative path."""
    files = {}
    for path, _, names in os.walk(folder):
        for name in names:
            whole = os.path.join(path, name)
            with open(whole, "rb") as stream:
                files[os.path.relpath(whole, folder)] = stream.read()
    return files
