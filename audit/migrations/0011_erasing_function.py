from django.db import migrations

# The application may not touch a row of the log: it calls this, which runs as the tables' owner and
# is held to what the triggers check. That payloads went must be said in the same transaction.
FORWARD = """
-- Only the trigger writes this table, whoever changes a stream.
ALTER FUNCTION event_streams_note_epoch() SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp;

CREATE FUNCTION event_log_erase(wanted uuid, through bigint, new_epoch text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    erased bigint;
BEGIN
    UPDATE event_streams SET
        erased_through = greatest(erased_through, through), epoch = new_epoch
    WHERE project = wanted AND through BETWEEN 1 AND sequence;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'erasing refused: the log of % does not go to %', wanted, through
            USING ERRCODE = 'restrict_violation';
    END IF;
    UPDATE event_log SET data = '{"erased": true}', salt = ''
    WHERE project = wanted AND sequence <= through AND salt <> '';
    GET DIAGNOSTICS erased = ROW_COUNT;
    RETURN erased;
END $$;

CREATE FUNCTION event_streams_say_what_went() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM event_log WHERE project = NEW.project AND sequence > NEW.erased_through
            AND event_type IN ('project_erased', 'events_archived')
            AND data ->> 'through' = NEW.erased_through::text
    ) THEN
        RAISE EXCEPTION 'erasing refused: no event says that the payloads went'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER event_streams_say_what_went AFTER UPDATE ON event_streams
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.erased_through > OLD.erased_through)
    EXECUTE FUNCTION event_streams_say_what_went();
"""
BACKWARD = """
DROP TRIGGER event_streams_say_what_went ON event_streams;
DROP FUNCTION event_streams_say_what_went();
DROP FUNCTION event_log_erase(uuid, bigint, text);
ALTER FUNCTION event_streams_note_epoch() SECURITY INVOKER RESET search_path;
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0010_verifications")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
