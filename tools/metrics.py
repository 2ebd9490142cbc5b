"""Measures of the product's code: sizes, private helpers, import circles, what a change touches.

Needs nothing but Python; `python tools/metrics.py --root ../older --root .` compares two checkouts.
"""

import argparse
import ast
import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Not the product: at the top of the tree, and wherever they are.
OTHER_FOLDERS = {
    "benchmarks",
    "build",
    "chaos",
    "deploy",
    "docs",
    "examples",
    "staticfiles",
    "tools",
}
NEVER_PRODUCT = {"__pycache__", "migrations", "node_modules", "tests"}
TEXT_SUFFIXES = {".html", ".js", ".sql", ".typ", ".yaml", ".yml"}
LONG_FUNCTION = 30
NO_GERUNDS = {"logging", "routing", "tracing"}
# One member of each kind that grows. Its files show what a new member has to touch.
TYPICAL_CHANGES = {
    "role": "deployer",
    "action": "amend",
    "event type": "hitl_request_reminded",
    "artifact type": "deployment_log",
    "health check": "channel_layer",
}
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

COUNTED = """\
Product: Python files with something in them, without tests, migrations and the folders {folders}.
Lengths are from `def` to the last line.
Private: functions and methods named _x. Called once: the name is mentioned once in the product
(two helpers of the same name count as two mentions), or once in the file that defines it.
Circles: modules that import each other, also inside functions, but not for TYPE_CHECKING alone.
Files naming a member of a kind show what adding another one touches. A Python file names it by the
string 'name', by .NAME, or by a file, function or class that has the name in its own, where it is
defined or imported; templates, scripts, SQL and YAML by the quoted word, YAML also by the bare one.
The file that uses the member counts; a mention in a longer text or in a comment does not. Tests,
documents and migrations are left out."""


@dataclass(frozen=True)
class Module:
    path: Path
    name: str
    lines: int
    tree: ast.Module
    functions: list[FunctionNode]
    #: How often each name is read, called or assigned. A definition is no mention.
    mentions: Counter[str]
    strings: set[str]
    #: What it defines, by name, and what it imports of the product.
    names: set[str]


def product_paths(root: Path, suffixes: set[str]) -> Iterator[Path]:
    """Paths below the root, relative to it, in order."""
    for folder, names, files in os.walk(root):
        here = Path(folder).relative_to(root)
        left_out = NEVER_PRODUCT | (OTHER_FOLDERS if here == Path() else set())
        names[:] = sorted(
            name
            for name in names
            if name not in left_out
            and not name.startswith(".")
            and not Path(folder, name, "pyvenv.cfg").exists()
        )
        yield from (here / name for name in sorted(files) if Path(name).suffix in suffixes)


def load(root: Path) -> list[Module]:
    modules = []
    for path in product_paths(root, {".py"}):
        text = (root / path).read_text(encoding="utf-8")
        if text.strip():
            name = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
            modules.append(read_module(path, name, text))
    packages = {module.name.partition(".")[0] for module in modules}
    for module in modules:
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            source = getattr(node, "module", None) or node.names[0].name
            if getattr(node, "level", 0) or source.partition(".")[0] in packages:
                sources = [source, *(alias.name for alias in node.names)]
                module.names.update(path.rpartition(".")[2] for path in sources)
    return modules


def read_module(path: Path, name: str, text: str) -> Module:
    tree = ast.parse(text, str(path))
    module = Module(path, name, len(text.splitlines()), tree, [], Counter(), set(), {path.stem})
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                module.functions.append(node)
                module.names.add(node.name)
            case ast.ClassDef():
                module.names.add(node.name)
            case ast.Name():
                module.mentions[node.id] += 1
            case ast.Attribute():
                module.mentions[node.attr] += 1
            case ast.Constant(value=str(value)):
                module.strings.add(value)
    return module


def percentile(lengths: list[int], share: float) -> int:
    """By nearest rank; 0 of nothing."""
    return sorted(lengths)[max(0, math.ceil(share * len(lengths)) - 1)] if lengths else 0


def is_private(function: FunctionNode) -> bool:
    return function.name.startswith("_") and not function.name.startswith("__")


def imports(module: Module, known: set[str]) -> set[str]:
    """The product's modules that this one imports by name, at the top or inside a function."""
    package = module.name if module.path.stem == "__init__" else module.name.rpartition(".")[0]
    imported = set()
    nodes: list[ast.AST] = [module.tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            nodes += node.orelse
        elif isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                parents = package.split(".")
                base = ".".join(parents[: len(parents) - node.level + 1])
                source = f"{base}.{source}".strip(".")
            for alias in node.names:
                submodule = f"{source}.{alias.name}"
                imported.add(submodule if submodule in known else source)
        else:
            nodes += ast.iter_child_nodes(node)
    return (imported & known) - {module.name}


def circles(modules: list[Module]) -> list[list[str]]:
    """The groups of modules of which each leads to each other one, the largest first (Tarjan)."""
    known = {module.name for module in modules}
    graph = {module.name: sorted(imports(module, known)) for module in modules}
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    groups = []
    for start in graph:
        if start in index:
            continue
        index[start] = lowest[start] = len(index)
        stack.append(start)
        path = [(start, iter(graph[start]))]
        while path:
            name, following = path[-1]
            target = next(following, None)
            if target is None:
                path.pop()
                if path:
                    parent = path[-1][0]
                    lowest[parent] = min(lowest[parent], lowest[name])
                if lowest[name] == index[name]:
                    position = stack.index(name)
                    groups.append(sorted(stack[position:]))
                    del stack[position:]
            elif target not in index:
                index[target] = lowest[target] = len(index)
                stack.append(target)
                path.append((target, iter(graph[target])))
            elif target in stack:
                lowest[name] = min(lowest[name], index[target])
    return sorted((group for group in groups if len(group) > 1), key=len, reverse=True)


def has_words(name: str, member: str) -> bool:
    """Whether AmendAction or check_amend is about `amend`; amended is not."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
    return f"_{member}_" in f"_{words}_"


def files_naming(root: Path, modules: list[Module], member: str) -> list[Path]:
    """The files that name this member of a kind; see COUNTED."""
    paths = []
    for module in modules:
        if (
            member in module.strings
            or member.upper() in module.mentions
            or any(has_words(name, member) for name in module.names)
        ):
            paths.append(module.path)
    quoted = re.compile(rf"""(["'`]){member}\1""")
    bare = re.compile(rf"^[^#]*(?<![\w-]){member}(?![\w-])", re.MULTILINE)
    for path in product_paths(root, TEXT_SUFFIXES):
        text = (root / path).read_text(encoding="utf-8")
        is_named = quoted.search(text) or (path.suffix in {".yaml", ".yml"} and bare.search(text))
        if is_named or path.stem == member:
            paths.append(path)
    return paths


def measure(root: Path) -> dict[str, str]:
    modules = load(root)
    all_functions = [function for module in modules for function in module.functions]
    lengths = [function.end_lineno - function.lineno + 1 for function in all_functions]
    private = [function for function in all_functions if is_private(function)]
    mentioned = sum((module.mentions for module in modules), Counter())
    called_once = sum(mentioned[function.name] == 1 for function in private)
    called_once_at_home = sum(
        module.mentions[function.name] == 1
        for module in modules
        for function in module.functions
        if is_private(function)
    )
    documented = sum(ast.get_docstring(function) is not None for function in all_functions)
    gerunds = [
        module
        for module in modules
        if module.path.stem.endswith("ing") and module.path.stem not in NO_GERUNDS
    ]
    groups = circles(modules)

    def share(count: int) -> str:
        return f"{count:,} ({100 * count / max(1, len(all_functions)):.0f} %)"

    figures = {
        "lines": f"{sum(module.lines for module in modules):,}",
        "files": f"{len(modules):,}",
        "functions": f"{len(all_functions):,}",
        "function length, median": f"{percentile(lengths, 0.5)}",
        "function length, p90": f"{percentile(lengths, 0.9)}",
        "function length, longest": f"{max(lengths, default=0)}",
        f"functions over {LONG_FUNCTION} lines": share(sum(n > LONG_FUNCTION for n in lengths)),
        "private functions": share(len(private)),
        "- called once in the product": share(called_once),
        "- called once in their own file": share(called_once_at_home),
        "functions with a docstring": share(documented),
        "files named by a gerund": f"{len(gerunds)}",
        "import circles": " ".join([str(len(groups)), *(f"(of {len(group)})" for group in groups)]),
    }
    for kind, member in TYPICAL_CHANGES.items():
        figures[f"files naming the {kind} {member}"] = f"{len(files_naming(root, modules, member))}"
    return figures


def print_details(root: Path) -> None:
    modules = load(root)
    print(f"\n{root}")
    for group in circles(modules):
        print(f"\nImport circle: {', '.join(group)}")
    for kind, member in TYPICAL_CHANGES.items():
        print(f"\nFiles naming the {kind} {member}:")
        for path in files_naming(root, modules, member):
            print(f"  {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Prints measures of the product's code.")
    parser.add_argument(
        "--root",
        type=Path,
        action="append",
        metavar="DIR",
        help="a checkout; may be given again, to compare (default: this one)",
    )
    parser.add_argument(
        "--details", action="store_true", help="also list circles, and the files of each change"
    )
    options = parser.parse_args()
    roots = options.root or [Path(__file__).resolve().parent.parent]
    for root in roots:
        if not root.is_dir():
            parser.error(f"{root} is not a folder.")
    columns = [measure(root) for root in roots]
    width = max(len(label) for label in columns[0])
    if len(roots) > 1:
        print(" " * width, *(f"{str(root)[-18:]:>20}" for root in roots))
    for label in columns[0]:
        print(f"{label:<{width}}", *(f"{figures[label]:>20}" for figures in columns))
    print("\n" + COUNTED.format(folders=", ".join(sorted(OTHER_FOLDERS))))
    if options.details:
        for root in roots:
            print_details(root)


if __name__ == "__main__":
    main()
