"""A person's own content, as JSON or as YAML, in which long text reads well.

It is checked before it is sent, so that no edit is lost.
"""

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from context.artifact_types import artifact_types
from core.errors import DomainError
from core.text import escaped
from hitl.models import HitlRequest
from hitl.presenter import PresentedRequest
from hitl.subject import amended_type, check_amendment
from ui.terminal.console import Terminal

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
    # Only between quotes can a character be escaped. Some are line breaks to YAML, which it would
    # fold; escaped they stay what they are.
    if not UNUSUAL_BREAKS.isdisjoint(text) or escaped(text) != text:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def as_yaml(content: Any) -> str:
    """What a person would not see is escaped."""
    text = yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1_000_000)
    return escaped(text, lambda run: "".join(f"\\U{ord(letter):08x}" for letter in run))


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
    """The text as the person leaves it in their editor. Raises EditingError."""
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
        if path := shutil.which(name):
            return [path]
    raise EditingError("There is no editor here. Set EDITOR, or give the content in a file.")


def ask_content(terminal: Terminal, presented: PresentedRequest) -> Any:
    """From a file that the person names, or from their editor; None when they change their mind."""
    name = terminal.ask("File with your content (leave empty to open your editor): ")
    try:
        if name:
            return content_from(Path(name).expanduser(), presented.request)
        return _edited_content(terminal, presented)
    except EditingError as error:
        terminal.write(str(error), "red")
        return None


def content_from(path: Path, request: HitlRequest) -> Any:
    """Raises EditingError."""
    return _check(read_text(path), str(path), request)


def _edited_content(terminal: Terminal, presented: PresentedRequest) -> Any:
    if presented.card is not None:
        original = as_yaml(presented.card.arguments)
    elif presented.content is not None:
        original = as_yaml(presented.content)
    else:
        # The fields of the type as comments, to fill in.
        artifact_type = amended_type(presented.request)
        fields = artifact_types[artifact_type].schema.model_fields.items()
        lines = [f"# {name}: {field.description or ''}".rstrip() for name, field in fields]
        original = "\n".join([f"# {artifact_type}. Fill in the fields:", *lines, ""])
    text = original
    while True:
        text = edit(text, suffix=".yaml")
        if text == original:
            terminal.say("Nothing was changed.")
            return None
        try:
            return _check(text, "Your content", presented.request)
        except EditingError as error:
            terminal.write(str(error), "red")
        if not terminal.ask_yes("Edit it again?"):
            return None


def _check(text: str, source: str, request: HitlRequest) -> Any:
    try:
        return check_amendment(request, parse(text, source))
    except DomainError as error:
        reasons = [f"{reason['field']}: {reason['detail']}" for reason in error.errors]
        lines = [f"{source} is not valid.", *(reasons or [str(error)])]
        raise EditingError("\n".join(lines)) from error
