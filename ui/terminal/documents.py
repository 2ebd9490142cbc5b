"""What a request shows: exactly the versions that its digest stands for, and what changed."""

from dataclasses import dataclass
from typing import Any

from context.diff import diff_contents
from context.models import ArtifactVersion
from context.rendering import render_markdown
from hitl.models import HitlRequest
from hitl.selectors import last_decided


@dataclass(frozen=True)
class Document:
    """One version on show. `diff` is '' where nothing was decided before."""

    title: str
    artifact_type: str
    version: int
    sha256: str
    maker: str
    content: dict[str, Any]
    markdown: str
    diff: str = ""
    diff_from: int | None = None


def documents_of(request: HitlRequest) -> list[Document]:
    return [_document(request, output) for output in request.subject["outputs"]]


def _document(request: HitlRequest, output: dict[str, Any]) -> Document:
    artifact_type = output["artifact_type"]
    version = _version(output["artifact"], output["version"])
    before = last_decided(request, version)
    return Document(
        title=output["title"],
        artifact_type=artifact_type,
        version=version.number,
        sha256=version.sha256,
        maker=_maker(version),
        content=version.content,
        markdown=render_markdown(artifact_type, version.content),
        diff=_diff(artifact_type, before, version) if before else "",
        diff_from=before.number if before else None,
    )


def _version(artifact: str, number: int) -> ArtifactVersion:
    return ArtifactVersion.objects.select_related("author").get(artifact=artifact, number=number)


def _maker(version: ArtifactVersion) -> str:
    if version.author is not None:
        return version.author.get_username()
    served_by = ":".join(filter(None, (version.provider, version.model)))
    return f"{version.source_agent}, {served_by}" if served_by else version.source_agent


def _diff(artifact_type: str, before: ArtifactVersion, version: ArtifactVersion) -> str:
    files = diff_contents(artifact_type, before.content, version.content)["files"]
    return "\n".join(_difference(file).rstrip("\n") for file in files)


def _difference(file: dict[str, Any]) -> str:
    return file["unified"] or f"{file['path']} has changed, and is too long to compare here"
