import django.db.models.deletion
from django.db import migrations, models

# Each is the beginning of a longer index of the same table, which serves its lookups as well, and
# would be written with every row.
INDEXES = [
    ("context_artifacts_project_id_c78785f3", "context_artifacts", "project_id"),
    ("context_artifact_versions_artifact_id_9a15c434", "context_artifact_versions", "artifact_id"),
    ("context_derivations_derived_id_d2b4c5ba", "context_derivations", "derived_id"),
]


def without_index(model: str, name: str, to: str, related_name: str):
    field = models.ForeignKey(
        db_index=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name=related_name,
        to=to,
    )
    return migrations.AlterField(model, name, field)


class Migration(migrations.Migration):

    atomic = False

    dependencies = [("context", "0017_trigrams_planned_once")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    [f"DROP INDEX CONCURRENTLY IF EXISTS {index}"],
                    [f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {index} ON {table} ({column})"],
                )
                for index, table, column in INDEXES
            ],
            state_operations=[
                without_index("artifact", "project", "projects.project", "artifacts"),
                without_index("artifactversion", "artifact", "context.artifact", "versions"),
                without_index("derivation", "derived", "context.artifactversion", "derivations"),
            ],
        )
    ]
