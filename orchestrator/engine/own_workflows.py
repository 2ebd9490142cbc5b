"""Workflows of the installation's own: rows, beside the files that ship."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import yaml
from django.db import transaction

from audit.actors import Actor
from audit.installation import INSTALLATION, record_installation
from audit.rows import RowProblem
from core.errors import Conflict, Forbidden, InvalidInput, NotFound
from orchestrator.engine.definition import (
    NAME,
    WORKFLOWS,
    Definition,
    DefinitionError,
    available_definitions,
    checked_definition,
    definition_hash,
    hash_of,
    load_definition,
    parse_definition,
    shipped_definitions,
)
from orchestrator.models import Workflow, WorkflowRun
from projects.events import WORKFLOW_SAVED

PERMISSION = "orchestrator.change_workflow"


@dataclass(frozen=True)
class Description:
    """A workflow as it holds."""

    name: str
    version: int
    title: str
    steps: list[dict[str, Any]]
    sha256: str
    is_shipped: bool


def check_names_no_agent_type(name: str) -> None:
    """Without it the steps that name it could not be read any more. Raises Conflict."""
    names_it = {"definition__steps__contains": [{"agent": name}]}
    own = Workflow.objects.filter(**names_it).values_list("name", flat=True)
    pinned = WorkflowRun.objects.filter(**names_it).values_list("workflow", flat=True)
    if workflow := own.first() or pinned.first():
        detail = f"The workflow {workflow} names {name}. Change it, or leave it as it is."
        raise Conflict("agent_type_in_use", detail)


def describe_workflows() -> list[Description]:
    """All of them, by their names, as they are written down."""
    shipped = [_described(load_definition(name)) for name in shipped_definitions()]
    own = [_stored(row) for row in Workflow.objects.all()]
    return sorted((*shipped, *own), key=lambda one: one.name)


def describe_workflow(name: str) -> Description:
    """Raises NotFound."""
    if name in shipped_definitions():
        return _described(load_definition(name))
    row = Workflow.objects.filter(pk=name).first() if NAME.fullmatch(name) else None
    if row is None:
        detail = f"There is no such workflow. Use one of: {', '.join(available_definitions())}."
        raise NotFound("not_found", detail)
    return _stored(row)


def may_change_workflows(user: Any) -> bool:
    return bool(user is not None and user.has_perm(PERMISSION))


def save_workflow_text(*, actor: Actor, text: str) -> tuple[Description, bool]:
    """As `save_workflow`, from YAML. Its InvalidInput names lines."""
    try:
        definition = parse_definition(text, "workflow")
    except DefinitionError as error:
        errors = []
        for fault in error.errors:
            where = f"Line {fault['line']}" + (f", {fault['path']}" if fault["path"] else "")
            detail = f"{where}: {fault['detail']}"
            errors.append({"field": "text", "code": "invalid", "detail": detail})
        raise InvalidInput("invalid", str(error)[:2000], errors=errors) from error
    return save_workflow(actor=actor, data=definition.to_json())


def workflow_text(workflow: Description) -> str:
    """As a file has it, to be read and edited."""
    if workflow.is_shipped:
        return (WORKFLOWS / f"{workflow.name}.yaml").read_text(encoding="utf-8")
    steps = [
        {name: value for name, value in step.items() if value or name == "creates"}
        for step in workflow.steps
    ]
    head = {"name": workflow.name, "version": workflow.version, "title": workflow.title}
    data = head | {"steps": steps}
    return yaml.dump(data, Dumper=_TextDumper, sort_keys=False, allow_unicode=True, width=100)


def save_workflow(*, actor: Actor, data: dict[str, Any]) -> tuple[Description, bool]:
    """Make one, or a newer version of it, and whether it is new; the same again changes nothing.

    Projects that have started go on with what they started with. Raises Forbidden, InvalidInput
    with everything at fault, Conflict `workflow_shipped` and `workflow_version`.
    """
    if not may_change_workflows(actor.user):
        detail = "Only who runs the installation adds workflows; ask a superuser."
        raise Forbidden("role_too_low", detail)
    definition = _checked(data)
    sha256 = definition_hash(definition)
    if definition.name in shipped_definitions():
        detail = f"The workflow {definition.name!r} comes with the product. Choose another name."
        raise Conflict("workflow_shipped", detail)
    with transaction.atomic():
        row = Workflow.objects.select_for_update().filter(pk=definition.name).first()
        is_new = row is None
        if row is not None:
            if row.sha256 == sha256:
                return _described(definition), False
            if definition.version <= row.version:
                detail = f"There is version {row.version} of it, which differs. Raise `version`."
                raise Conflict("workflow_version", detail, version=row.version)
        else:
            row = Workflow(name=definition.name, created_by=actor.user)
        row.version, row.title = definition.version, definition.title
        row.definition, row.sha256 = definition.to_json(), sha256
        row.save(force_insert=is_new)
        facts = {"workflow": row.name, "version": row.version, "sha256": sha256}
        record_installation(WORKFLOW_SAVED, actor, **facts, is_new=is_new)
    return _described(definition), is_new


def workflows_changed_behind_us(project_id: UUID | None) -> Iterator[RowProblem]:
    """Whose definition is not what its hash is over. For verification."""
    if project_id in (None, INSTALLATION):
        for row in Workflow.objects.order_by("name"):
            if hash_of(row.definition) != row.sha256:
                where = f"workflow {row.name}"
                yield RowProblem(INSTALLATION, where, "its definition does not have its hash")


class _TextDumper(yaml.SafeDumper):
    """Texts of several lines stand as they are read."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_TextDumper.add_representer(str, _represent_text)


def _checked(data: dict[str, Any]) -> Definition:
    try:
        return checked_definition(data, "workflow")
    except DefinitionError as error:
        errors = [
            {"field": fault["path"] or "steps", "code": "invalid", "detail": fault["detail"]}
            for fault in error.errors
        ]
        raise InvalidInput("invalid", error.faults[:2000], errors=errors) from error


def _stored(row: Workflow) -> Description:
    """As it was saved, also where it cannot be used any more."""
    return Description(row.name, row.version, row.title, row.definition["steps"], row.sha256, False)


def _described(definition: Definition) -> Description:
    return Description(
        name=definition.name,
        version=definition.version,
        title=definition.title,
        steps=definition.to_json()["steps"],
        sha256=definition_hash(definition),
        is_shipped=definition.name in shipped_definitions(),
    )
