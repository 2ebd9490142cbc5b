"""Rows of earlier releases brought up to date, by commands that are safe to repeat."""

from django.db import connection
from django.db.models import Exists, OuterRef

from audit.actors import Actor
from context.models import ArtifactVersion, Section
from context.services.storage import store_parts
from projects.transaction import ProjectTransaction

BATCH = 5_000
SAME_NAME = {
    "context_sections": "older.title = part.title",
    "context_concepts": "older.identifier = part.identifier AND older.title = part.title",
}
# The oldest row of a text under a name keeps its trigrams. Nothing else ever changes these rows, so
# a batch, which is a transaction of its own, waits for nobody.
FORGET = """
    UPDATE {table} AS part SET trigrams = NULL
    WHERE id > %s AND id <= %s AND trigrams IS NOT NULL AND EXISTS (
        SELECT 1 FROM {table} AS older
        WHERE older.body_id = part.body_id AND {same} AND older.id < part.id
            AND older.trigrams IS NOT NULL
    )
"""


def split_old_versions() -> int:
    """Give sections and concepts to versions that have none; returns to how many.

    Safe beside older code that still writes such versions.
    """
    has_sections = Section.objects.filter(version=OuterRef("pk"))
    ids = ArtifactVersion.objects.filter(~Exists(has_sections)).order_by("pk")
    count = 0
    for version_id in ids.values_list("pk", flat=True).iterator():
        version = ArtifactVersion.objects.select_related("artifact").get(pk=version_id)
        with ProjectTransaction(version.artifact.project_id, Actor.of_system("upgrade")):
            if not version.sections.exists():
                store_parts(version, version.artifact)
                count += 1
    return count


def forget_repeated_names() -> int:
    """Remove trigrams that another row of the same text has too; returns from how many rows."""
    count = 0
    for table, same in SAME_NAME.items():
        statement = FORGET.format(table=table, same=same)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608 - a constant
            for start in range(0, cursor.fetchone()[0], BATCH):
                cursor.execute(statement, [start, start + BATCH])
                count += cursor.rowcount
    return count
