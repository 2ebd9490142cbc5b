import django.db.models.deletion
from django.db import migrations, models

# Each is the beginning of a longer index of the same table, which serves its lookups as well, and
# would be written with every row.
INDEXES = [
    ("hitl_requests_project_id_ef70fe3b", "hitl_requests", "project_id"),
    ("hitl_requests_task_id_a79f09d3", "hitl_requests", "task_id"),
    ("hitl_decisions_request_id_1084d897", "hitl_decisions", "request_id"),
]


def without_index(model: str, name: str, to: str, related_name: str, **options: bool):
    field = models.ForeignKey(
        db_index=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name=related_name,
        to=to,
        **options,
    )
    return migrations.AlterField(model, name, field)


class Migration(migrations.Migration):

    atomic = False

    dependencies = [("hitl", "0013_action_claim_key")]

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
                without_index("hitlrequest", "project", "projects.project", "hitl_requests"),
                without_index("hitlrequest", "task", "agents.task", "hitl_requests", null=True, blank=True),
                without_index("decision", "request", "hitl.hitlrequest", "decisions"),
            ],
        )
    ]
