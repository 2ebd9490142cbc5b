"""What a request shows: exactly the versions that its digest stands for, and what changed."""

from dataclasses import dataclass
from typing import Any

from context.diff import diff_contents
from context.models import ArtifactVersion
from context.rendering import render_markdown
from hitl.models import Decision, HitlRequest
from hitl.words import Action


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
    decided = _last_decided(request)
    return [_document(output, decided.get(output["artifact"])) for output in outputs_of(request)]


def outputs_of(request: HitlRequest) -> list[dict[str, Any]]:
    return request.subject["outputs"]


def _document(output: dict[str, Any], decided: int | None) -> Document:
    version = _version(output["artifact"], output["version"])
    markdown = render_markdown(output["artifact_type"], version.content)
    is_later = decided is not None and decided < version.number
    return Document(
        title=output["title"],
        artifact_type=output["artifact_type"],
        version=version.number,
        sha256=version.sha256,
        maker=_maker(version),
        content=version.content,
        markdown=markdown,
        diff=_diff(output, decided, version.content) if is_later else "",
        diff_from=decided if is_later else None,
    )


def _version(artifact: str, number: int) -> ArtifactVersion:
    return ArtifactVersion.objects.select_related("author").get(artifact=artifact, number=number)


def _maker(version: ArtifactVersion) -> str:
    if version.author is not None:
        return version.author.get_username()
    served_by = ":".join(filter(None, (version.provider, version.model)))
    return f"{version.source_agent}, {served_by}" if served_by else version.source_agent


def _last_decided(request: HitlRequest) -> dict[str, int]:
    """The version of each artifact that a person last decided on in this line of requests."""
    earlier = request.previous
    while earlier is not None:
        if decision := earlier.decisions.last():
            return {one["artifact"]: _decided_version(one, decision) for one in outputs_of(earlier)}
        earlier = earlier.previous
    return {}


def _decided_version(output: dict[str, Any], decision: Decision) -> int:
    """An amendment is the version after the one that was shown."""
    is_amended = decision.action == Action.AMEND
    is_first = output == outputs_of(decision.request)[0]
    return output["version"] + (1 if is_amended and is_first else 0)


def _diff(output: dict[str, Any], decided: int, content: dict[str, Any]) -> str:
    before = _version(output["artifact"], decided).content
    files = diff_contents(output["artifact_type"], before, content)["files"]
    return "\n".join(_difference(file) for file in files)


def _difference(file: dict[str, Any]) -> str:
    return file["unified"] or f"{file['path']} has changed, and is too long to compare here"
