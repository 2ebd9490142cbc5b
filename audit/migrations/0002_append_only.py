from django.db import migrations

FORWARD = """
CREATE FUNCTION event_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % refused: the event log is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER event_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event_log
    FOR EACH STATEMENT EXECUTE FUNCTION event_log_refuse();

CREATE TRIGGER event_streams_are_kept BEFORE DELETE OR TRUNCATE ON event_streams
    FOR EACH STATEMENT EXECUTE FUNCTION event_log_refuse();

-- The function runs only when the condition holds, so an append does not pay for it.
CREATE TRIGGER event_streams_never_go_back BEFORE UPDATE ON event_streams
    FOR EACH ROW WHEN (NEW.sequence < OLD.sequence OR NEW.project <> OLD.project)
    EXECUTE FUNCTION event_log_refuse();
"""
BACKWARD = """
DROP TRIGGER event_streams_never_go_back ON event_streams;
DROP TRIGGER event_streams_are_kept ON event_streams;
DROP TRIGGER event_log_append_only ON event_log;
DROP FUNCTION event_log_refuse();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
