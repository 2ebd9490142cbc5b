"""A project as files: every artifact, the audit trail, a manifest with their hashes."""

import gzip
import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, BinaryIO

from audit.actors import Actor
from audit.checkpoints import proof_of
from audit.installation import record_installation
from audit.models import Event, Stream
from audit.serialization import to_wire
from context.models import Artifact, ArtifactVersion
from context.printing.pdf import TooLong
from context.rendering import as_files
from core.errors import Unprocessable
from orchestrator.engine.briefs import accepted_brief_text
from orchestrator.engine.document import (
    ENDINGS,
    Sources,
    current_outputs,
    kept_document,
    render_document,
    sources_of,
)
from orchestrator.engine.document_jobs import IMMEDIATE_SECONDS, is_small, ready_document
from orchestrator.engine.safe_paths import SafePaths
from orchestrator.models import ImportedFile, WorkflowRun
from projects.events import EXPORT_MADE
from projects.integrity import ContentChanged
from projects.models import Project

# The earliest time that a ZIP can hold, so that the same project gives the same bytes.
NO_TIME = (1980, 1, 1, 0, 0, 0)
EVENTS_PER_CHUNK = 1000
NO_DOCUMENT = (
    b"All that was accepted is too much for one document of this form, or has changed while the "
    b"export was written. Everything is below artifacts/.\n"
)


def write_export(project: Project, target: BinaryIO) -> None:
    """Write the ZIP. Call it in a REPEATABLE READ transaction, so that it is of one moment."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in export_files(project):
            entry = zipfile.ZipInfo(path, NO_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def record_export(project: Project, actor: Actor) -> None:
    """Before it is handed out. Without the project's name, which may be erased one day."""
    head = Stream.objects.get(project=project.pk).sequence
    record_installation(EXPORT_MADE, actor, project=str(project.pk), head_sequence=head)


def prepare_export(
    project: Project, make: Callable[[Sources, str], bytes | None] = ready_document
) -> bool:
    """Whether its documents are there; False while a worker makes them. Call it before the export.

    One that is too large to be made will not be there. `make=document_of` waits for them.
    """
    sources = sources_of(project)
    is_ready = True
    for form in ENDINGS if sources.versions else ():
        with suppress(Unprocessable, TooLong):
            is_ready &= make(sources, form) is not None
    return is_ready


def export_files(project: Project) -> Iterator[tuple[str, bytes]]:
    """Relative path and content, in a fixed order, the manifest last; no path leads outside."""
    files: list[dict[str, Any]] = []
    for path, content, about in _contents(project):
        sha256 = hashlib.sha256(content).hexdigest()
        files.append({"path": path, "sha256": sha256, "bytes": len(content)} | about)
        yield path, content
    manifest: dict[str, Any] = {
        "format": "paraph.export.v1",
        "project": str(project.pk),
        "name": project.name,
        "brief": accepted_brief_text(project),
        "workflow": project.workflow,
        "oversight_level": project.oversight_level,
        "status": project.status,
    }
    # A draft is not bound to a version of its workflow.
    if run := WorkflowRun.objects.filter(project=project).first():
        manifest["workflow_version"] = run.definition["version"]
        manifest["workflow_sha256"] = run.definition_hash
    manifest["files"] = files
    yield "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False).encode() + b"\n"


def _contents(project: Project) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Path, content, and what the manifest says about the file."""
    paths, folders, current = SafePaths(), {}, current_outputs(project)
    for artifact in Artifact.objects.filter(project=project).order_by("created_at", "id"):
        # The accepted version; without one, the last.
        version = artifact.versions.get(number=artifact.accepted_version or artifact.version)
        version.artifact = artifact
        # All artifacts of a step share a folder; one without a step has its own.
        key = artifact.step or artifact.pk
        if key not in folders:
            folders[key] = paths.folder(f"artifacts/{artifact.step or artifact.artifact_type}")
        is_current = artifact.task is None or not artifact.step or str(artifact.pk) in current
        about = _about(artifact, version) | {"is_current": is_current}
        for name, content in sorted(as_files(artifact.artifact_type, version.content).items()):
            data = content.encode() if isinstance(content, str) else content
            is_content = name == f"{artifact.artifact_type}.json"
            entry = about | {"is_content": True} if is_content else about
            yield paths.file(folders[key], name), data, entry
    # Everything that was accepted, to read in one piece.
    sources = sources_of(project)
    if sources.versions:
        for form, ending in ENDINGS.items():
            body = kept_document(sources, form)
            if body is None and is_small(sources):
                # The project has changed since the documents were made.
                with suppress(TooLong):
                    body = render_document(sources, form, IMMEDIATE_SECONDS)
            if body is not None:
                yield f"document/project.{ending}", body, {}
            else:
                yield f"document/no-{ending}.txt", NO_DOCUMENT, {}
    events = Event.objects.filter(project=project.pk).order_by("sequence")
    lines = (
        json.dumps(to_wire(event), ensure_ascii=False).encode() + b"\n"
        for event in events.iterator(chunk_size=EVENTS_PER_CHUNK)
    )
    yield "audit/events.jsonl", b"".join(lines), {}
    # Of the last event: whoever takes the export in sees by it that nothing was cut off or changed.
    if (head := events.last()) and (proof := proof_of(head)):
        yield "audit/proof.json", json.dumps(proof, indent=2).encode() + b"\n", {}
    imported = ImportedFile.objects.filter(origin__project=project).select_related("origin")
    for file in imported.order_by("path"):
        yield file.path, read_imported(file), {}


def read_imported(file: ImportedFile) -> bytes:
    """Raises ContentChanged where it is not the file that came."""
    try:
        data = gzip.decompress(file.body)
    except (OSError, EOFError, zlib.error):
        data = b""
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256:
        project = file.origin.project_id
        raise ContentChanged(
            "file",
            f"The imported file {file.path}",
            project=project,
            expected=file.sha256,
            found=found,
            path=file.path,
        )
    return data


def _about(artifact: Artifact, version: ArtifactVersion) -> dict[str, Any]:
    origin = {"imported": version.claims} if version.claims else {}
    return origin | {
        "artifact": str(artifact.pk),
        "artifact_type": artifact.artifact_type,
        "title": artifact.title,
        "version": version.number,
        "status": version.status,
        "content_sha256": version.sha256,
        "provider": version.provider,
        "model": version.model,
        "granularity": artifact.granularity,
        "source_agent": artifact.source_agent or version.source_agent,
        "is_by_person": version.is_by_person,
        "step": artifact.step,
    }
