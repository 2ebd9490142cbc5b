"""Which artifact is a project's brief. Its first version is what the project was started with."""

from context.models import Artifact
from context.services.content import check_content
from context.types.user_input import USER_INPUT
from projects.models import Project


def sha256_of_brief(text: str) -> str:
    """As that of the version which says just this."""
    return check_content(USER_INPUT, {"text": text}).sha256


def brief_of(project: Project) -> Artifact | None:
    """The first input that says, or once said, what the project was started with."""
    inputs = Artifact.objects.filter(project=project, artifact_type=USER_INPUT)
    briefs = inputs.filter(
        accepted_version__isnull=False, versions__sha256=sha256_of_brief(project.brief)
    )
    return briefs.order_by("created_at", "id").first()
