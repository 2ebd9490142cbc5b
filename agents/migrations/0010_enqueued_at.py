from django.db import migrations, models


class Migration(migrations.Migration):
    """Only the name in Python changes; the column stays as it is."""

    dependencies = [
        ("agents", "0009_worker_registry"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name="task",
                    name="rung_at",
                    field=models.DateTimeField(blank=True, db_column="rung_at", null=True),
                ),
                migrations.RenameField(
                    model_name="task", old_name="rung_at", new_name="enqueued_at"
                ),
            ],
        ),
    ]
