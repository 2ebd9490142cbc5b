"""A person's own content in place of what is shown, checked before it is sent: no edit is lost."""

from pathlib import Path
from typing import Any

from context.artifact_types import artifact_types
from context.services import check_content
from core.errors import DomainError
from hitl.models import HitlRequest
from hitl.subject import amended_type
from ui.terminal.console import Terminal
from ui.terminal.documents import documents_of
from ui.terminal.editor import EditingError, as_yaml, edit, parse, read_text


def own_content(terminal: Terminal, request: HitlRequest) -> Any:
    """From a file that the person names, or from their editor; None when they think again."""
    named = terminal.ask("File with your content (empty: open it in your editor): ")
    try:
        if named:
            return content_from(Path(named).expanduser(), request)
        return _from_editor(terminal, request)
    except EditingError as error:
        terminal.write(str(error), "red")
        return None


def content_from(path: Path, request: HitlRequest) -> Any:
    """Raises EditingError."""
    return _checked(read_text(path), str(path), request)


def _from_editor(terminal: Terminal, request: HitlRequest) -> Any:
    before = text = _first_text(request)
    while True:
        text = edit(text, suffix=".yaml")
        if text == before:
            terminal.say("Nothing was changed.")
            return None
        try:
            return _checked(text, "Your content", request)
        except EditingError as error:
            terminal.write(str(error), "red")
        if not terminal.ask_yes("Edit it again?"):
            return None


def _first_text(request: HitlRequest) -> str:
    documents = documents_of(request)
    return as_yaml(documents[0].content) if documents else _form(amended_type(request))


def _form(artifact_type: str) -> str:
    """The fields of a type as comments, to fill in."""
    fields = artifact_types[artifact_type].schema.model_fields.items()
    lines = [f"# {name}: {field.description or ''}".rstrip() for name, field in fields]
    return "\n".join([f"# {artifact_type}. Fill in the fields:", *lines, ""])


def _checked(text: str, source: str, request: HitlRequest) -> Any:
    try:
        return check_content(amended_type(request), parse(text, source)).content
    except DomainError as error:
        faults = [f"{one['field']}: {one['detail']}" for one in error.errors] or [str(error)]
        raise EditingError("\n".join([f"{source} does not fit.", *faults])) from error
