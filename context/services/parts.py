from django.db.models import Exists, OuterRef

from audit.actors import Actor
from context.models import ArtifactVersion, Section
from context.services.storage import store_parts
from projects.transaction import ProjectTransaction


def split_old_versions() -> int:
    """Give sections and concepts to versions that were written without; how many there were.

    Safe to repeat, and to run beside older code that still writes such versions.
    """
    has_sections = Section.objects.filter(version=OuterRef("pk"))
    left = ArtifactVersion.objects.filter(~Exists(has_sections)).order_by("pk")
    return sum(map(_split, left.values_list("pk", flat=True).iterator()))


def _split(version_id: int) -> bool:
    version = ArtifactVersion.objects.select_related("artifact").get(pk=version_id)
    with ProjectTransaction(version.artifact.project_id, Actor.of_system("upgrade")):
        if version.sections.exists():
            return False
        store_parts(version, version.artifact)
    return True
