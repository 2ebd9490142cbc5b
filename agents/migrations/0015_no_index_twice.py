import django.db.models.deletion
from django.db import migrations, models

# Each is the beginning of a longer index of the same table, which serves its lookups as well, and
# would be written with every row.
INDEXES = [
    ("tasks_project_id_288f49d9", "tasks", "project_id"),
    ("task_attempts_task_id_2a36b41b", "task_attempts", "task_id"),
    ("agent_status_project_id_c8aa6450", "agent_status", "project_id"),
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

    dependencies = [("agents", "0014_assignment_sha256")]

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
                without_index("task", "project", "projects.project", "tasks"),
                without_index("taskattempt", "task", "agents.task", "attempts"),
                without_index("agentstatus", "project", "projects.project", "agents"),
            ],
        )
    ]
