"""An import is a new project with an honest beginning: who took it in, when, and from where.

The other installation's log is kept beside it as it came, never written into the new chain.
"""

import gzip
import hashlib
import json
from collections import Counter
from typing import Any

from django.db import transaction

from audit.actors import Actor
from audit.canonical import canonical
from context.artifact_types import artifact_types
from context.enums import Granularity, VersionStatus
from context.services import Checked, check_content, store_imported
from context.types.user_input import USER_INPUT
from core.errors import DomainError, InvalidInput
from orchestrator.engine.imports.archive import MANIFEST, Archive, refused
from orchestrator.engine.imports.choices import choices_for
from orchestrator.engine.imports.trail import Trail, verify_trail
from orchestrator.models import ImportedFile, ProjectImport
from projects.agent_types import agent_types
from projects.events import PROJECT_UPDATED
from projects.models import Project
from projects.services import create_project
from projects.transaction import ProjectTransaction

TRAIL = "audit/events.jsonl"
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
    """A new project with the archive's artifacts, a draft; what is empty is as in the archive.

    Raises InvalidInput, TooLarge.
    """
    chosen = choices_for(archive.manifest, workflow=workflow, oversight_level=oversight_level)
    # Outside of the transaction: reading and checking take their time.
    items = [_item(archive, file) for file in archive.manifest["files"] if file.get("is_content")]
    _check_once(items)
    trail = verify_trail(archive.kept.get(TRAIL, b""))
    fields = _project_fields(archive.manifest, items, name) | chosen
    return _store(actor, archive, items, trail, fields)


@transaction.atomic
def _store(
    actor: Actor, archive: Archive, items: list[Item], trail: Trail, fields: Item
) -> Project:
    manifest = archive.manifest
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
        )
        _keep_the_past(origin, archive)
        imported = {
            "origin_project": origin.origin_project,
            "archive_sha256": origin.archive_sha256,
            "artifacts": len(items),
            "trail_events": origin.trail_events,
            "trail_head_hash": origin.trail_head_hash,
            "trail_is_valid": origin.trail_broken_at is None,
        }
        tx.record(PROJECT_UPDATED, changed=["origin"], fields={}, imported=imported)
        for item in items:
            store_imported(tx, **item)
    return tx.project


def _keep_the_past(origin: ProjectImport, archive: Archive) -> None:
    past = [path for path in archive.kept if path == MANIFEST or not path.startswith("artifacts/")]
    ImportedFile.objects.bulk_create(
        ImportedFile(
            origin=origin,
            path=f"imported/{path}",
            sha256=hashlib.sha256(archive.kept[path]).hexdigest(),
            body=gzip.compress(archive.kept[path], mtime=0),
        )
        for path in past
    )


def _project_fields(manifest: Item, items: list[Item], name: str) -> Item:
    return {
        "name": name or _text(manifest, "name") or "Imported project",
        "brief": _text(manifest, "brief") or _first_input(items) or "(An import without a brief.)",
    }


def _line(about: Item, name: str, length: int) -> str:
    """Text of one line that a column can hold."""
    plain = "".join(letter if letter.isprintable() else " " for letter in str(about.get(name, "")))
    return plain.strip()[:length]


def _text(manifest: Item, field: str) -> str:
    value = manifest.get(field)
    if value is not None and not isinstance(value, str):
        raise refused("manifest_invalid", f"{MANIFEST}: {field} is no text.")
    return value or ""


def _first_input(items: list[Item]) -> str:
    inputs = (item for item in items if item["artifact_type"] == USER_INPUT)
    return next((item["checked"].content["text"] for item in inputs), "")


def _item(archive: Archive, file: Item) -> Item:
    """What one artifact is to be stored with. Raises InvalidInput, which names the file."""
    path = file["path"]
    artifact_type = _one_of(file, "artifact_type", artifact_types.values)
    try:
        content = json.loads(archive.kept[path])
        checked = _stored(artifact_type, content, file.get("content_sha256"))
    except DomainError as error:
        raise _with_path(error, path) from error
    except (ValueError, RecursionError) as error:
        raise refused("content_invalid", f"{path!r} is not JSON.") from error
    if checked.sha256 != file.get("content_sha256"):
        raise refused("hash_mismatch", f"{path!r} has not the content that {MANIFEST} names.")
    source_agent = _one_of(file, "source_agent", ["", *agent_types.values], "")
    return {
        "artifact_type": artifact_type,
        "title": _line(file, "title", 300) or artifact_type,
        "checked": checked,
        "status": _one_of(file, "status", STATUSES),
        "granularity": _one_of(file, "granularity", Granularity.values, "document"),
        "source_agent": source_agent,
        "is_by_person": not source_agent or bool(file.get("is_by_person")),
        "step": _line(file, "step", 100),
        "provider": _line(file, "provider", 50),
        "model": _line(file, "model", 200),
        "origin_version": _line(file, "version", 20),
    }


def _stored(artifact_type: str, content: Any, wanted: Any) -> Checked:
    """Contents are kept as they were: an older schema may have had fewer defaults."""
    checked = check_content(artifact_type, content)
    encoded = canonical(content)
    if checked.sha256 != wanted and hashlib.sha256(encoded).hexdigest() == wanted:
        return Checked(content, wanted, len(encoded))
    return checked


def _check_once(items: list[Item]) -> None:
    made = Counter((item["step"], item["artifact_type"]) for item in items if item["step"])
    if twice := [key for key, count in made.items() if count > 1]:
        step, artifact_type = twice[0]
        detail = f"{MANIFEST} has two artifacts of type {artifact_type} of the step {step!r}."
        raise refused("manifest_invalid", detail)


def _one_of(file: Item, name: str, known: Any, default: str | None = None) -> str:
    value = file.get(name, default)
    if not isinstance(value, str) or value not in known:
        raise refused("manifest_invalid", f"{file['path']!r}: {name} {value!r} is not known here.")
    return value


def _with_path(error: DomainError, path: str) -> DomainError:
    detail = f"{path!r}: {error.detail}"
    if isinstance(error, InvalidInput):
        return InvalidInput(error.code, detail, errors=error.errors)
    return type(error)(error.code, detail, **error.extra)
