"""Whether a request still shows what was pinned when it was opened."""

from collections.abc import Iterator, Sequence
from typing import Any

from agents.models import Task
from context.models import ArtifactVersion
from hitl.agent_actions.digests import changed_call
from hitl.enums import RequestStatus
from hitl.models import HitlRequest
from projects.integrity import INTEGRITY, ContentChanged

# Nobody has decided on it, though a newer request may have taken its place.
UNDECIDED = (RequestStatus.PENDING, RequestStatus.SUPERSEDED)


def differences(
    request: HitlRequest, task: Task | None, versions: Sequence[ArtifactVersion]
) -> Iterator[ContentChanged]:
    """What is no longer as it was pinned. `versions` are those that the request shows."""
    for error in _differences(request, task, versions):
        error.request = request.pk
        yield error


def _differences(
    request: HitlRequest, task: Task | None, versions: Sequence[ArtifactVersion]
) -> Iterator[ContentChanged]:
    """In this order:

    The subject against the request's digest, each version's own digest against the subject's, each
    content against that, and what the agent was given against what it was given then.
    """
    if request.project.erased_at is not None:
        return
    if request.found_digest != request.subject_digest:
        yield ContentChanged(
            "subject",
            f"What the request “{request.title}” shows",
            project=request.project_id,
            expected=request.subject_digest,
            found=request.found_digest,
        )
        return
    found = {(str(version.artifact_id), version.number): version for version in versions}
    for output in request.subject["outputs"]:
        version = found.get((output["artifact"], output["version"]))
        if version is None:
            yield _gone(request, output)
        elif version.sha256 != output["sha256"]:
            error = version.changed("digest", version.sha256, output["sha256"])
            # Its content may well fit the digest that somebody put there.
            version.difference = error
            yield error
        else:
            try:
                version.content  # noqa: B018 - it is checked as it is read
            except ContentChanged as error:
                version.difference = error
                yield error
    if task is None:
        if (error := changed_call(request.agent_action)) is not None:
            yield error
        return
    if request.subject["error"].get("code") == INTEGRITY:
        # This is what people are asked about.
        return
    try:
        task.check_assignment()
    except ContentChanged as error:
        yield error


def _gone(request: HitlRequest, output: dict[str, Any]) -> ContentChanged:
    return ContentChanged(
        "content",
        f"Version {output['version']} of “{output['title']}”",
        project=request.project_id,
        expected=output["sha256"],
        found="",
        artifact=output["artifact"],
        version=output["version"],
    )
