from django.db import migrations

# Nobody is told of what happened before there were notifications.
BEGIN = """
    INSERT INTO notification_cursors (project, sequence, updated_at)
    SELECT project, sequence, clock_timestamp() FROM event_streams
    ON CONFLICT (project) DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0001_initial"),
        ("audit", "0011_erasing_function"),
    ]
    operations = [migrations.RunSQL(BEGIN, migrations.RunSQL.noop)]
