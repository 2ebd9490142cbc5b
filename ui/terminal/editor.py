"""A person's own content, as JSON or as YAML, in which long text reads well."""

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

UNUSUAL_BREAKS = frozenset("\x85\u2028\u2029\ufeff")
FILE_MAX_BYTES = 4 * 1024 * 1024


class EditingError(Exception):
    """What is wrong with the person's content, and what to do."""


class _Dumper(yaml.SafeDumper):
    pass


class _Loader(yaml.SafeLoader):
    """Without dates: `2026-01-31` is text, as in JSON."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    # To YAML these are line breaks, and it would fold them; escaped they stay what they are.
    if not UNUSUAL_BREAKS.isdisjoint(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, found) for tag, found in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def as_yaml(content: Any) -> str:
    return yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1_000_000)


def parse(text: str, source: str) -> Any:
    """JSON or YAML. Raises EditingError."""
    try:
        return json.loads(text)
    except ValueError as error:
        if source.endswith(".json"):
            raise EditingError(f"{source} is not JSON: {error}") from error
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)
    except yaml.YAMLError as error:
        raise EditingError(f"{source} is neither JSON nor YAML: {error}") from error


def read_text(path: Path) -> str:
    """Raises EditingError."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_MAX_BYTES + 1)
        if len(raw) > FILE_MAX_BYTES:
            raise EditingError(f"{path} is larger than {FILE_MAX_BYTES:,} bytes.")
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise EditingError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise EditingError(f"{path} is not UTF-8 text.") from error


def edit(text: str, *, suffix: str) -> str:
    """The text as the person leaves it. Raises EditingError."""
    command = _editor()
    with tempfile.TemporaryDirectory(prefix="paraph-") as folder:
        path = Path(folder) / f"edit{suffix}"
        path.write_text(text, encoding="utf-8")
        try:
            subprocess.run([*command, str(path)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise EditingError(f"The editor ({shlex.join(command)}) failed: {error}") from error
        return read_text(path)


def _editor() -> list[str]:
    for name in ("VISUAL", "EDITOR"):
        if command := os.environ.get(name, "").strip():
            return shlex.split(command)
    for name in ("sensible-editor", "nano", "vi"):
        if found := shutil.which(name):
            return [found]
    raise EditingError("There is no editor here. Set EDITOR, or give the content in a file.")
