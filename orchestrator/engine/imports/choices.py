"""How an imported project is to be worked on, where what its export says cannot be had here.

Another workflow or another oversight level than the project had is a person's choice, never ours.
"""

from collections.abc import Iterator
from typing import Any

from core.errors import InvalidInput
from orchestrator.engine.definition import (
    available_definitions,
    definition_hash,
    load_definition,
)
from projects.enums import OversightLevel

Fault = dict[str, str]


def choices_for(manifest: dict[str, Any], *, workflow: str, oversight_level: str) -> dict[str, str]:
    """What is chosen, or else what the manifest says. Raises InvalidInput with every fault."""
    faults = [
        *(() if workflow else _workflow_faults(manifest)),
        *(() if oversight_level else _level_faults(manifest.get("oversight_level"))),
    ]
    if faults:
        raise InvalidInput("invalid", " ".join(fault["detail"] for fault in faults), errors=faults)
    return {
        "workflow": workflow or manifest["workflow"],
        "oversight_level": oversight_level or manifest["oversight_level"],
    }


def _workflow_faults(manifest: dict[str, Any]) -> Iterator[Fault]:
    name, wanted = manifest.get("workflow"), manifest.get("workflow_sha256")
    if name not in available_definitions():
        said = _said("workflow", name)
        yield _fault("workflow", "does_not_exist", said, available_definitions())
    # A draft is bound to no version of its workflow, and its export names none.
    elif wanted is not None and wanted != definition_hash(load_definition(name)):
        said = f"The export was made with another version of the workflow {name!r} than is here."
        yield _fault("workflow", "version_differs", said, available_definitions())


def _level_faults(level: Any) -> Iterator[Fault]:
    if level not in OversightLevel.values:
        said = _said("oversight level", level)
        yield _fault("oversight_level", "invalid_choice", said, OversightLevel.values)


def _said(what: str, value: Any) -> str:
    if value is None:
        return f"The export names no {what}."
    return f"The export names the {what} {str(value)[:100]!r}, which is not known here."


def _fault(field: str, code: str, said: str, known: Any) -> Fault:
    detail = f"{said} Choose one to go on with, by {field}: {', '.join(known)}."
    return {"field": field, "code": code, "detail": detail}
