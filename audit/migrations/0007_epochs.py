from django.db import migrations, models

# Older processes change the epoch of a stream by themselves: a trigger notes it, not our code.
FORWARD = """
CREATE FUNCTION event_streams_note_epoch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        UPDATE event_epochs SET through = NEW.sequence
        WHERE project = NEW.project AND through IS NULL;
    END IF;
    INSERT INTO event_epochs (project, epoch, after) VALUES (NEW.project, NEW.epoch, NEW.sequence);
    RETURN NULL;
END $$;

CREATE TRIGGER event_streams_begin_an_epoch AFTER INSERT ON event_streams
    FOR EACH ROW EXECUTE FUNCTION event_streams_note_epoch();
CREATE TRIGGER event_streams_change_epoch AFTER UPDATE ON event_streams
    FOR EACH ROW WHEN (NEW.epoch <> OLD.epoch) EXECUTE FUNCTION event_streams_note_epoch();

CREATE TRIGGER event_epochs_are_kept BEFORE DELETE OR TRUNCATE ON event_epochs
    FOR EACH STATEMENT EXECUTE FUNCTION event_log_refuse();

-- What the log has had so far. The last epoch of a stream may have no event yet.
INSERT INTO event_epochs (project, epoch, after, through)
SELECT stream.project, event.epoch, min(event.sequence) - 1,
    CASE WHEN event.epoch = stream.epoch THEN NULL ELSE max(event.sequence) END
FROM event_streams AS stream JOIN event_log AS event
    ON event.project = stream.project AND event.sequence <= stream.sequence
GROUP BY stream.project, stream.epoch, event.epoch;

INSERT INTO event_epochs (project, epoch, after)
SELECT project, epoch, sequence FROM event_streams AS stream
WHERE NOT EXISTS (
    SELECT 1 FROM event_epochs AS part WHERE part.project = stream.project AND part.through IS NULL);
"""
BACKWARD = """
DROP TRIGGER event_streams_change_epoch ON event_streams;
DROP TRIGGER event_streams_begin_an_epoch ON event_streams;
DROP FUNCTION event_streams_note_epoch();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0006_plain_labels")]
    operations = [
        migrations.CreateModel(
            name="Epoch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("project", models.UUIDField()),
                ("epoch", models.CharField(max_length=32)),
                ("after", models.PositiveBigIntegerField()),
                (
                    "through",
                    models.PositiveBigIntegerField(help_text="None: it goes on.", null=True),
                ),
            ],
            options={
                "db_table": "event_epochs",
                "indexes": [models.Index(fields=["project", "epoch"], name="epochs_of_a_project")],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
