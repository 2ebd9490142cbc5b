from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("hitl", "0014_no_index_twice")]

    operations = [
        AddIndexConcurrently(
            model_name="agentaction",
            index=models.Index(
                condition=models.Q(status="pending"),
                fields=["project", "-created_at", "-id"],
                name="actions_pending",
            ),
        ),
    ]
