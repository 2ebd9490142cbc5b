from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Without a lock that would hold up workers."""

    atomic = False

    dependencies = [
        ("agents", "0011_worker_concurrency"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="task",
            index=models.Index(
                condition=models.Q(("status", "working")),
                fields=["project", "agent_type"],
                name="tasks_at_work",
            ),
        ),
    ]
