from importlib import import_module

from django.db import migrations, models

before = import_module("audit.migrations.0003_more_event_types")
PLACE = before.AFTER.index("member_added")
AFTER = [*before.AFTER[:PLACE], "project_erased", "events_archived", *before.AFTER[PLACE:]]

# What a row may become: the same, without what it said, and only where its stream says so.
FORWARD = """
DROP TRIGGER event_log_append_only ON event_log;
CREATE TRIGGER event_log_append_only BEFORE DELETE OR TRUNCATE ON event_log
    FOR EACH STATEMENT EXECUTE FUNCTION event_log_refuse();

CREATE FUNCTION event_log_only_erase() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.salt <> '' AND NEW.salt = '' AND NEW.data = '{"erased": true}'::jsonb
        AND to_jsonb(NEW) - 'data' - 'salt' = to_jsonb(OLD) - 'data' - 'salt'
        AND OLD.sequence <= (
            SELECT erased_through FROM event_streams WHERE project = OLD.project
        )
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'UPDATE on event_log refused: the event log is append-only'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER event_log_only_erases BEFORE UPDATE ON event_log
    FOR EACH ROW EXECUTE FUNCTION event_log_only_erase();

CREATE TRIGGER event_streams_erase_what_is_there BEFORE UPDATE ON event_streams
    FOR EACH ROW WHEN (
        NEW.erased_through < OLD.erased_through OR NEW.erased_through > NEW.sequence
    )
    EXECUTE FUNCTION event_log_refuse();
"""
BACKWARD = """
DROP TRIGGER event_streams_erase_what_is_there ON event_streams;
DROP TRIGGER event_log_only_erases ON event_log;
DROP FUNCTION event_log_only_erase();
DROP TRIGGER event_log_append_only ON event_log;
CREATE TRIGGER event_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event_log
    FOR EACH STATEMENT EXECUTE FUNCTION event_log_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_more_event_types")]
    operations = [
        migrations.RunSQL(
            before.hold_to(AFTER),
            before.hold_to(before.AFTER),
            state_operations=[
                migrations.RemoveConstraint("event", "event_type_known"),
                migrations.AlterField(
                    "event",
                    "event_type",
                    models.CharField(
                        choices=[(one, one.replace("_", " ").title()) for one in AFTER],
                        max_length=40,
                    ),
                ),
                migrations.AddConstraint(
                    "event",
                    models.CheckConstraint(
                        condition=models.Q(event_type__in=AFTER), name="event_type_known"
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="stream",
            name="erased_through",
            field=models.PositiveBigIntegerField(
                db_default=0,
                default=0,
                help_text="Up to here the database lets payloads be erased.",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
