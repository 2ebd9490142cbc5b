"""The brief of a run: pinned at the start, and pinned again when people send the work back.

Approvals rest on one brief. A newer brief therefore changes nothing in a running project; it makes
artifacts of the old brief stale, and takes effect with the next rewind.
"""

from typing import Any

from django.db.models import OuterRef, Subquery

from agents.services.tasks import version_reference
from audit.actors import Actor
from context.models import Artifact
from context.selectors import brief_of, sha256_of_brief
from context.services import store_input
from context.types.user_input import USER_INPUT
from orchestrator.models import WorkflowRun
from projects.models import BRIEF_MAX_LENGTH, Project
from projects.transaction import ProjectTransaction

PIN = ("brief_artifact", "brief_version")


def store_brief(tx: ProjectTransaction) -> Artifact:
    """The project's brief as an artifact; an imported project has it already."""
    project = tx.project
    brief = brief_of(project)
    if brief and brief.versions.filter(
        number=brief.accepted_version, sha256=sha256_of_brief(project.brief)
    ):
        return brief
    return store_input(
        tx,
        author=Actor.of_user(project.created_by),
        artifact_type=USER_INPUT,
        title="Brief",
        content={"text": project.brief},
    )


def pinned_brief(run: WorkflowRun) -> dict[str, Any] | None:
    """None for a run that was opened by older code and has no such artifact."""
    if run.brief_artifact is None and pin_accepted_brief(run):
        run.save(update_fields=PIN)
    if run.brief_artifact is None:
        return None
    return {"artifact": str(run.brief_artifact), "version": run.brief_version}


def version_for(run: WorkflowRun, artifact: Artifact) -> int:
    """The version of the artifact that steps of this run get."""
    return run.brief_version if artifact.pk == run.brief_artifact else artifact.accepted_version


def pin_accepted_brief(run: WorkflowRun) -> dict[str, Any] | None:
    """Pin the accepted version of the brief, if it is another one. Does not save."""
    brief = Artifact.objects.filter(pk=run.brief_artifact).first() or brief_of(run.project)
    if brief is None or run.brief_version == brief.accepted_version:
        return None
    run.brief_artifact, run.brief_version = brief.pk, brief.accepted_version
    return version_reference(brief, brief.accepted_version)


def run_with_brief(project: Project) -> WorkflowRun | None:
    """The run, annotated for `brief_state`."""
    brief = Artifact.objects.filter(pk=OuterRef("brief_artifact")).values("accepted_version")
    return WorkflowRun.objects.filter(project=project).annotate(accepted=Subquery(brief)).first()


def brief_state(run: WorkflowRun | None) -> dict[str, Any] | None:
    """The version that the run works with, and the one that is accepted now."""
    if run is None or run.brief_artifact is None:
        return None
    pinned = {"artifact": str(run.brief_artifact), "version": run.brief_version}
    return pinned | {"accepted_version": run.accepted}


def accepted_brief_text(project: Project) -> str:
    """The accepted brief, for an export."""
    brief = brief_of(project) if project.started_at else None
    if brief is None:
        return project.brief
    text = brief.versions.get(number=brief.accepted_version).content["text"]
    return text if len(text) <= BRIEF_MAX_LENGTH else project.brief
