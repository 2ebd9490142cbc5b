"""The brief of a run: pinned at the start, and taken anew where people send the work back.

What was approved was approved on one brief. So a newer one makes stale what was made of the old
one, and changes nothing that goes on; who wants it to count rewinds.
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


def hand_in_brief(tx: ProjectTransaction) -> Artifact:
    """The project's brief as an artifact; an imported project brings it along."""
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
    """None where there is none: the run was opened by older code, and has no such artifact."""
    _pin_if_opened_by_older_code(run)
    if run.brief_artifact is None:
        return None
    return {"artifact": str(run.brief_artifact), "version": run.brief_version}


def version_for(run: WorkflowRun, artifact: Artifact) -> int:
    """Which of its versions the steps of this run get."""
    return run.brief_version if artifact.pk == run.brief_artifact else artifact.accepted_version


def take_brief(run: WorkflowRun) -> dict[str, Any] | None:
    """Pin the brief as it is accepted now, if it is another one. Does not save."""
    brief = Artifact.objects.filter(pk=run.brief_artifact).first() or brief_of(run.project)
    if brief is None or run.brief_version == brief.accepted_version:
        return None
    run.brief_artifact, run.brief_version = brief.pk, brief.accepted_version
    return version_reference(brief, brief.accepted_version)


def run_with_brief(project: Project) -> WorkflowRun | None:
    """The run, with what `brief_state` tells."""
    brief = Artifact.objects.filter(pk=OuterRef("brief_artifact")).values("accepted_version")
    return WorkflowRun.objects.filter(project=project).annotate(accepted=Subquery(brief)).first()


def brief_state(run: WorkflowRun | None) -> dict[str, Any] | None:
    """What the run works with, and what is accepted by now."""
    if run is None or run.brief_artifact is None:
        return None
    pinned = {"artifact": str(run.brief_artifact), "version": run.brief_version}
    return pinned | {"accepted_version": run.accepted}


def text_to_start_anew(project: Project) -> str:
    """The brief as it is accepted now, for who takes the project in elsewhere."""
    brief = brief_of(project) if project.started_at else None
    if brief is None:
        return project.brief
    text = brief.versions.get(number=brief.accepted_version).content["text"]
    return text if len(text) <= BRIEF_MAX_LENGTH else project.brief


def _pin_if_opened_by_older_code(run: WorkflowRun) -> None:
    if run.brief_artifact is None and take_brief(run):
        run.save(update_fields=PIN)
