from django.db import migrations

# A decision of an erased project may lose its words; who decided what, and on which digest, stays.
FORWARD = """
CREATE OR REPLACE FUNCTION hitl_decisions_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.comment IN ('', '[erased]')
        AND (NEW.content IS NULL OR NEW.content = '{"erased": true}'::jsonb)
        AND to_jsonb(NEW) - 'content' - 'comment' = to_jsonb(OLD) - 'content' - 'comment'
        AND project_is_erased((SELECT project_id FROM hitl_requests WHERE id = OLD.request_id))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'hitl_decisions is append-only: a decision stands as it was made'
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE FUNCTION hitl_comments_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.text = '[erased]' AND to_jsonb(NEW) - 'text' = to_jsonb(OLD) - 'text'
        AND project_is_erased((SELECT project_id FROM hitl_requests WHERE id = OLD.request_id))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'hitl_comments is append-only: what was said stands'
        USING ERRCODE = 'restrict_violation';
END $$;
"""
BACKWARD = """
CREATE OR REPLACE FUNCTION hitl_decisions_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'hitl_decisions is append-only: a decision stands as it was made'
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE OR REPLACE FUNCTION hitl_comments_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'hitl_comments is append-only: what was said stands'
        USING ERRCODE = 'restrict_violation';
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("hitl", "0004_outcomes_stand"), ("projects", "0003_erased")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
