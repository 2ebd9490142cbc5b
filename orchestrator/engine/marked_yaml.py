"""YAML as plain data, with the line of everything in it. Strict: anybody may send the text."""

import re
from typing import Any

import yaml

MAX_CHARACTERS = 200_000
TAG = "tag:yaml.org,2002:"

Path = tuple[str | int, ...]
Problem = tuple[int, Path, str]


class MarkedYamlError(Exception):
    """The text is not acceptable YAML. `problems` are (line, path, detail)."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"line {line}: {detail}" for line, _, detail in problems))
        self.problems = problems


class NodeLoader(yaml.SafeLoader):
    """Refuses aliases: a few of them can stand for billions of nodes."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", mark)
        return super().compose_node(parent, index)


def read_marked(text: str) -> tuple[Any, dict[Path, int]]:
    """The data, and for each path in it the line (from 1) where it is written."""
    if len(text) > MAX_CHARACTERS:
        raise MarkedYamlError([(1, (), f"longer than {MAX_CHARACTERS:,} characters")])
    try:
        node = yaml.compose(text, Loader=NodeLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise MarkedYamlError([(line, (), f"not YAML: {error.reason}")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise MarkedYamlError([(line, (), f"not YAML: {error.problem}")]) from error
    except RecursionError as error:
        raise MarkedYamlError([(1, (), "nested too deeply")]) from error
    if node is None:
        raise MarkedYamlError([(1, (), "empty")])
    reader = NodeReader()
    data = reader.read(node, ())
    if reader.problems:
        raise MarkedYamlError(reader.problems)
    return data, reader.lines


class NodeReader:
    """Turns nodes into plain data, and collects lines and problems on the way."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode) and node.tag == TAG + "seq":
            return [self.read(item, (*path, n)) for n, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and node.tag == TAG + "map":
            data: dict[str, Any] = {}
            for key_node, value_node in node.value:
                key = key_node.value
                if key_node.tag != TAG + "str":
                    self._refuse(key_node, path, "a field name must be text")
                elif key in data:
                    self._refuse(key_node, (*path, key), f"'{key}' is given twice")
                else:
                    self.lines[(*path, key)] = key_node.start_mark.line + 1
                    data[key] = self.read(value_node, (*path, key))
            return data
        if not isinstance(node, yaml.ScalarNode):
            return self._refuse(node, path, f"unknown tag {node.tag}")
        if node.tag == TAG + "null":
            return None
        if node.tag == TAG + "int" and re.fullmatch(r"-?[0-9]{1,9}", node.value):
            return int(node.value)
        if node.tag != TAG + "str":
            detail = f"'{node.value[:40]}' is neither text nor a whole number; put text in quotes"
            return self._refuse(node, path, detail)
        if re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]", node.value):
            return self._refuse(node, path, "contains control characters or half of a character")
        return node.value

    def _refuse(self, node: yaml.Node, path: Path, detail: str) -> None:
        self.problems.append((node.start_mark.line + 1, path, detail))
