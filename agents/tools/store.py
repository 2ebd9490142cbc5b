"""Look into the store of the project: what was accepted, and nothing else."""

from uuid import UUID

from django.db.models import F
from pydantic import Field

from agents.tool import Arguments, Bench, ToolError, tool
from context.models import Artifact, ArtifactVersion
from context.rendering import render_markdown
from context.search import Scope, find, present_hits

MOST_HITS = 10
MOST_LINES = 400


class StoreTool:
    uses_workspace = False


class FindArguments(Arguments):
    text: str = Field(min_length=1, max_length=200, description="Words, or an id such as FR-3.")


class ReadArtifactArguments(Arguments):
    artifact: UUID = Field(description="Its id, as find_context gives it.")
    version: int = Field(ge=1, le=2**31 - 1, description="The number of the version.")
    first_line: int = Field(1, ge=1, description="Where to begin; lines count from 1.")


@tool("find_context", order=110)
class FindContext(StoreTool):
    description = (
        "Search the accepted artifacts of this project for words or ids. Each hit names the "
        "artifact and the version to read."
    )
    arguments = FindArguments

    def run(self, bench: Bench, arguments: FindArguments) -> str:
        project = bench.task.project_id
        accepted = Artifact.objects.filter(project=project, accepted_version=F("version"))
        matches = find(arguments.text, Scope((project,)), artifacts=accepted)
        hits = present_hits(matches.hits[:MOST_HITS], matches.words)
        lines = [
            f"{hit.artifact.artifact_type} “{hit.artifact.title}”, artifact {hit.artifact.pk}, "
            f"version {hit.version}: {hit.title}\n  {''.join(text for text, _ in hit.excerpt)}"
            for hit in hits
        ]
        return "\n".join(lines) or "Nothing that was accepted says that."


@tool("read_artifact", order=120)
class ReadArtifact(StoreTool):
    description = "Read an accepted artifact of this project, as Markdown."
    arguments = ReadArtifactArguments

    def run(self, bench: Bench, arguments: ReadArtifactArguments) -> str:
        versions = ArtifactVersion.objects.select_related("artifact")
        version = versions.filter(
            artifact=arguments.artifact,
            artifact__project=bench.task.project_id,
            artifact__accepted_version=arguments.version,
            number=arguments.version,
        ).first()
        if version is None:
            raise ToolError("There is no such accepted version; find_context names those.")
        lines = render_markdown(version.artifact.artifact_type, version.content).splitlines()
        begin = arguments.first_line - 1
        part = lines[begin : begin + MOST_LINES]
        left = len(lines) - begin - len(part)
        more = f"\n({left} more lines from line {begin + len(part) + 1})" if left > 0 else ""
        return "\n".join(part) + more if part else f"It has {len(lines)} lines."
