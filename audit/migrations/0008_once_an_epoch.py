from django.db import migrations, models

# Built beside the old one, so that appending goes on.
BUILD = (
    "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS event_once_an_epoch"
    " ON event_log (project, sequence, epoch)"
)
SWAP = """
ALTER TABLE event_log DROP CONSTRAINT IF EXISTS event_sequence_once,
    ADD CONSTRAINT event_once_an_epoch UNIQUE USING INDEX event_once_an_epoch
"""
BACK = """
ALTER TABLE event_log DROP CONSTRAINT event_once_an_epoch,
    ADD CONSTRAINT event_sequence_once UNIQUE (project, sequence)
"""


class Migration(migrations.Migration):
    """A row that is not of the log must not stand where the log goes on."""

    atomic = False
    dependencies = [("audit", "0007_epochs")]
    operations = [
        migrations.RunSQL(BUILD, migrations.RunSQL.noop),
        migrations.RunSQL(
            SWAP,
            BACK,
            state_operations=[
                migrations.RemoveConstraint("event", "event_sequence_once"),
                migrations.AddConstraint(
                    "event",
                    models.UniqueConstraint(
                        fields=["project", "sequence", "epoch"], name="event_once_an_epoch"
                    ),
                ),
            ],
        ),
    ]
