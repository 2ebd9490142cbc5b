from django.db import migrations

# A version of an erased project may lose what it says; its hash, and who made it, stay.
FORWARD = """
CREATE OR REPLACE FUNCTION context_artifact_versions_refuse_update() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.content = '{"erased": true}'::jsonb AND NEW.comment IN ('', '[erased]')
        AND to_jsonb(NEW) - 'content' - 'comment' = to_jsonb(OLD) - 'content' - 'comment'
        AND project_is_erased(
            (SELECT project_id FROM context_artifacts WHERE id = OLD.artifact_id)
        )
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a version of an artifact never changes: write the next version'
        USING ERRCODE = 'restrict_violation';
END $$;
"""
BACKWARD = """
CREATE OR REPLACE FUNCTION context_artifact_versions_refuse_update() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of an artifact never changes: write the next version'
        USING ERRCODE = 'restrict_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("context", "0006_context_builds"), ("projects", "0003_erased")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
