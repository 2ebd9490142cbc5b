"""An import is a new project with an honest beginning: who imported it, when, and from where.

The other installation's log is kept beside it as it came, never written into the new chain.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from django.db import transaction

from audit.actors import Actor
from audit.canonical import canonical
from audit.installation import record_installation
from context.artifact_types import artifact_types
from context.enums import Granularity, VersionStatus
from context.services import Checked, check_content, store_imported
from context.types.user_input import USER_INPUT
from core.errors import DomainError, InvalidInput
from orchestrator.engine.definition import (
    available_definitions,
    definition_hash,
    load_definition,
)
from orchestrator.engine.imports.archive import MANIFEST, Archive, refused
from orchestrator.engine.imports.trail import (
    TRAIL,
    Trail,
    is_vouched_for,
    verify_trail,
    versions_of,
)
from orchestrator.models import ImportedFile, ProjectImport
from projects.agent_types import agent_types
from projects.enums import OversightLevel
from projects.events import IMPORT_MADE, PROJECT_UPDATED
from projects.models import Project
from projects.services import create_project
from projects.transaction import ProjectTransaction

STATUSES = {VersionStatus.ACCEPTED, VersionStatus.DRAFT, VersionStatus.REJECTED}
Item = dict[str, Any]


def import_project(
    *,
    actor: Actor,
    archive: Archive,
    name: str = "",
    workflow: str = "",
    oversight_level: str = "",
) -> Project:
    """A new draft project with the archive's artifacts; empty arguments are taken from the archive.

    Raises InvalidInput, TooLarge.
    """
    manifest = archive.manifest
    choices = choices_for(manifest, workflow=workflow, oversight_level=oversight_level)
    # Outside of the transaction: reading and checking take their time.
    items = [read_item(archive, file) for file in manifest["files"] if file.get("is_content")]
    sources: set[tuple[str, str]] = set()
    for item in items:
        source = item["step"], item["artifact_type"]
        if item["step"] and source in sources:
            detail = f"{MANIFEST} has two artifacts of type {source[1]} of the step {source[0]!r}."
            raise refused("manifest_invalid", detail)
        sources.add(source)
    inputs = [item["checked"] for item in items if item["artifact_type"] == USER_INPUT]
    brief = _text(manifest, "brief") or (inputs[0].content["text"] if inputs else "")
    fields = choices | {
        "name": name or _text(manifest, "name") or "Imported project",
        "brief": brief or "(The import had no brief.)",
    }
    trail = verify_trail(archive.kept.get(TRAIL, b""))
    return store_project(actor, archive, items, trail, fields)


def choices_for(manifest: Item, *, workflow: str, oversight_level: str) -> dict[str, str]:
    """The caller's choice, or else the manifest's. Raises InvalidInput with every error.

    Another workflow or oversight level than the project had is for a person to choose.
    """
    errors: list[dict[str, str]] = []

    def add_error(field: str, code: str, reason: str, options: Iterable[str]) -> None:
        detail = f"{reason} Choose one to go on with, by {field}: {', '.join(options)}."
        errors.append({"field": field, "code": code, "detail": detail})

    name, sha256 = manifest.get("workflow"), manifest.get("workflow_sha256")
    level, names = manifest.get("oversight_level"), available_definitions()
    if not workflow and name not in names:
        add_error("workflow", "does_not_exist", _unknown("workflow", name), names)
    # A draft is not bound to a version of its workflow, and its export names none.
    elif not workflow and sha256 not in (None, definition_hash(load_definition(name))):
        reason = f"This installation has another version of the export's workflow {name!r}."
        add_error("workflow", "version_differs", reason, names)
    if not oversight_level and level not in OversightLevel.values:
        reason = _unknown("oversight level", level)
        add_error("oversight_level", "invalid_choice", reason, OversightLevel.values)
    if errors:
        raise InvalidInput("invalid", " ".join(error["detail"] for error in errors), errors=errors)
    return {"workflow": workflow or name, "oversight_level": oversight_level or level}


def _unknown(what: str, value: Any) -> str:
    if value is None:
        return f"The export names no {what}."
    return f"This installation does not have the {what} of the export, {str(value)[:100]!r}."


@transaction.atomic
def store_project(
    actor: Actor, archive: Archive, items: list[Item], trail: Trail, fields: Item
) -> Project:
    manifest, is_verified = archive.manifest, is_vouched_for(archive, trail)
    project = create_project(actor=actor, auto_start=False, **fields)
    with ProjectTransaction(project.pk, actor) as tx:
        origin = ProjectImport.objects.create(
            project=tx.project,
            imported_by=actor.user,
            origin_project=_line(manifest, "project", 100),
            origin_name=_line(manifest, "name", 200),
            origin_status=_line(manifest, "status", 50),
            archive_sha256=archive.sha256,
            trail_events=trail.events,
            trail_head_hash=trail.head_hash,
            trail_broken_at=trail.first_broken_sequence,
            is_verified=is_verified,
        )
        # The project's past: the manifest, the log, and what it had imported itself.
        ImportedFile.objects.bulk_create(
            ImportedFile(
                origin=origin,
                path=f"imported/{path}",
                sha256=hashlib.sha256(data).hexdigest(),
                body=gzip.compress(data, mtime=0),
            )
            for path, data in archive.kept.items()
            if path == MANIFEST or not path.startswith("artifacts/")
        )
        imported = {
            "origin_project": origin.origin_project,
            "archive_sha256": origin.archive_sha256,
            "artifacts": len(items),
            "trail_events": origin.trail_events,
            "trail_head_hash": origin.trail_head_hash,
            # One chain is what anybody can make; only a signed checkpoint says whose it is.
            "trail_is_one_chain": origin.trail_broken_at is None,
            "is_verified": is_verified,
        }
        tx.record(PROJECT_UPDATED, changed=["origin"], fields={}, imported=imported)
        said = versions_of(archive.kept[TRAIL]) if is_verified else {}
        for item in items:
            named = item.pop("named")
            # By the log that is vouched for, not by the manifest beside it.
            known = said.get(named) if named else None
            is_said = bool(known) and known["artifact_type"] == item["artifact_type"]
            if is_said:
                item["claims"] |= known | {"model": ""}
            item["claims"]["is_verified"] = is_said
            store_imported(tx, **item)
    facts = {"project": str(project.pk), "archive_sha256": archive.sha256}
    record_installation(IMPORT_MADE, actor, **facts, is_verified=is_verified)
    return tx.project


def read_item(archive: Archive, file: Item) -> Item:
    """One artifact as `store_imported` takes it. Raises InvalidInput, which names the file."""
    path, sha256 = file["path"], file.get("content_sha256")
    artifact_type = _choice(file, "artifact_type", artifact_types.values)
    try:
        content = json.loads(archive.kept[path])
        checked = check_content(artifact_type, content)
        encoded = canonical(content)
    except InvalidInput as error:
        raise InvalidInput(error.code, f"{path!r}: {error.detail}", errors=error.errors) from error
    except DomainError as error:
        raise type(error)(error.code, f"{path!r}: {error.detail}", **error.extra) from error
    except (ValueError, RecursionError) as error:
        raise refused("content_invalid", f"{path!r} is not JSON.") from error
    # Contents are kept as they were: an older schema may have had fewer defaults.
    if checked.sha256 != sha256 and hashlib.sha256(encoded).hexdigest() == sha256:
        checked = Checked(content, sha256, len(encoded))
    if checked.sha256 != sha256:
        raise refused("hash_mismatch", f"{path!r} does not have the content hash in {MANIFEST}.")
    source_agent = _choice(file, "source_agent", ["", *agent_types.values], "")
    if bool(file.get("is_by_person")):
        source_agent = ""
    status, number = _choice(file, "status", STATUSES), file.get("version")
    return {
        "artifact_type": artifact_type,
        "title": _line(file, "title", 300) or artifact_type,
        "checked": checked,
        "status": status,
        "granularity": _choice(file, "granularity", Granularity.values, "document"),
        "source_agent": source_agent,
        "step": _line(file, "step", 100),
        "named": (str(file.get("artifact")), number if isinstance(number, int) else 0, sha256),
        "claims": {
            "version": _line(file, "version", 20),
            "status": status,
            "made_by": source_agent or "person",
            "provider": _line(file, "provider", 50),
            "model": _line(file, "model", 200),
        },
    }


def _text(manifest: Item, field: str) -> str:
    value = manifest.get(field)
    if value is not None and not isinstance(value, str):
        raise refused("manifest_invalid", f"{MANIFEST}: {field} is not text.")
    return value or ""


def _line(data: Item, name: str, length: int) -> str:
    """One line of text that fits a column."""
    text = str(data.get(name, ""))
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()[:length]


def _choice(file: Item, name: str, options: Any, default: str | None = None) -> str:
    value = file.get(name, default)
    if not isinstance(value, str) or value not in options:
        detail = f"{file['path']!r}: this installation does not know the {name} {value!r}."
        raise refused("manifest_invalid", detail)
    return value
