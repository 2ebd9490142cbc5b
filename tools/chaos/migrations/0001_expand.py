"""A change as a release brings it: the code that runs meanwhile knows nothing of it.

Each statement for itself: a transaction that locks several tables deadlocks with requests.
"""

from django.db import migrations

EXPAND = [
    "ALTER TABLE tasks ADD COLUMN chaos_note text NOT NULL DEFAULT ''",
    "ALTER TABLE hitl_requests ADD COLUMN chaos_note text",
    "ALTER TABLE event_streams ADD COLUMN chaos_note text",
    "CREATE TABLE chaos_notes (id bigserial PRIMARY KEY, task uuid REFERENCES tasks (id))",
]
CONTRACT = [
    "DROP TABLE chaos_notes",
    "ALTER TABLE event_streams DROP COLUMN chaos_note",
    "ALTER TABLE hitl_requests DROP COLUMN chaos_note",
    "ALTER TABLE tasks DROP COLUMN chaos_note",
]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("agents", "0001_initial"),
        ("audit", "0001_initial"),
        ("hitl", "0001_initial"),
    ]
    operations = [
        migrations.RunSQL([there], [back])
        for there, back in zip(EXPAND, reversed(CONTRACT), strict=True)
    ]
