from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("hitl", "0023_readings_outlast_accounts")]

    operations = [
        AddIndexConcurrently(
            model_name="agentaction",
            index=models.Index(fields=["-created_at", "-id"], name="actions_newest_first"),
        ),
    ]
