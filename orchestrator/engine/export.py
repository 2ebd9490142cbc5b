"""A project as files: every artifact, the audit trail, a manifest with their hashes."""

import gzip
import hashlib
import json
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from agents.models import Task
from audit.models import Event
from audit.serialization import to_wire
from context.models import Artifact, ArtifactVersion
from context.rendering import as_files
from orchestrator.engine.briefs import text_to_start_anew
from orchestrator.engine.document import ENDINGS, document_of, read_document, sources_of
from orchestrator.engine.safe_paths import SafePaths
from orchestrator.models import ImportedFile, WorkflowRun
from projects.models import Project

# The first moment that a ZIP can name: the same project gives the same bytes.
NO_TIME = (1980, 1, 1, 0, 0, 0)
EVENTS_A_CHUNK = 1000


def write_export(project: Project, target: BinaryIO) -> None:
    """Write the ZIP. For one consistent moment call it in a REPEATABLE READ transaction."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in export_files(project):
            entry = zipfile.ZipInfo(path, NO_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)


def prepare_export(project: Project) -> None:
    """Make what takes long, and keep it: nothing slow is to happen within a transaction."""
    sources = sources_of(project)
    if sources.versions:
        for form in ENDINGS:
            document_of(sources, form)


def export_files(project: Project) -> Iterator[tuple[str, bytes]]:
    """Relative path and content, in a fixed order, the manifest last; no path leads outside."""
    listed: list[dict[str, Any]] = []
    for path, content, about in _contents(project):
        listed.append(
            {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            | about
        )
        yield path, content
    yield "manifest.json", _json(_manifest(project) | {"files": listed})


def _contents(project: Project) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    paths, folders, current = SafePaths(), {}, _current_artifacts(project)
    for version in _current_versions(project):
        artifact = version.artifact
        # A step has one folder, whatever it makes; what has no step has one each.
        key = artifact.step or artifact.pk
        if key not in folders:
            folders[key] = paths.folder(f"artifacts/{artifact.step or artifact.artifact_type}")
        folder = folders[key]
        is_current = artifact.task is None or not artifact.step or str(artifact.pk) in current
        about = _about(artifact, version) | {"is_current": is_current}
        for name, content in sorted(as_files(artifact.artifact_type, version.content).items()):
            data = content.encode() if isinstance(content, str) else content
            is_content = name == f"{artifact.artifact_type}.json"
            marked = about | {"is_content": True} if is_content else about
            yield paths.file(folder, name), data, marked
    yield from _assembled(project)
    yield "audit/events.jsonl", b"".join(_trail(project)), {}
    for file in ImportedFile.objects.filter(origin__project=project).order_by("path"):
        yield file.path, gzip.decompress(file.body), {}


def _assembled(project: Project) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """All that was accepted, to read in one piece."""
    sources = sources_of(project)
    if sources.versions:
        for form, ending in ENDINGS.items():
            yield f"document/project.{ending}", read_document(sources, form), {}


def _current_versions(project: Project) -> Iterator[ArtifactVersion]:
    """Of each artifact what the work went on with; else, its last version."""
    for artifact in Artifact.objects.filter(project=project).order_by("created_at", "id"):
        number = artifact.accepted_version or artifact.version
        version = artifact.versions.get(number=number)
        version.artifact = artifact
        yield version


def _current_artifacts(project: Project) -> set[str]:
    """What the steps have made in their current rounds; what only dropped rounds made is not."""
    tasks = Task.objects.filter(project=project, is_current=True)
    results = tasks.values_list("result", flat=True)
    return {made["artifact"] for result in results for made in result.get("outputs", [])}


def _about(artifact: Artifact, version: ArtifactVersion) -> dict[str, Any]:
    return {
        "artifact": str(artifact.pk),
        "artifact_type": artifact.artifact_type,
        "title": artifact.title,
        "version": version.number,
        "status": version.status,
        "content_sha256": version.sha256,
        "provider": version.provider,
        "model": version.model,
        "granularity": artifact.granularity,
        "source_agent": artifact.source_agent,
        "is_by_person": version.is_by_person,
        "step": artifact.step,
    }


def _manifest(project: Project) -> dict[str, Any]:
    return {
        "format": "paraph.export.v1",
        "project": str(project.pk),
        "name": project.name,
        "brief": text_to_start_anew(project),
        "workflow": project.workflow,
        "oversight_level": project.oversight_level,
        "status": project.status,
    } | _version_of_workflow(project)


def _version_of_workflow(project: Project) -> dict[str, Any]:
    """The one that is pinned; a draft has none."""
    run = WorkflowRun.objects.filter(project=project).first()
    if run is None:
        return {}
    return {"workflow_version": run.definition["version"], "workflow_sha256": run.definition_hash}


def _trail(project: Project) -> Iterator[bytes]:
    events = Event.objects.filter(project=project.pk).order_by("sequence")
    for event in events.iterator(chunk_size=EVENTS_A_CHUNK):
        yield json.dumps(to_wire(event), ensure_ascii=False).encode() + b"\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode() + b"\n"
