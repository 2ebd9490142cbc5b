from django.db import migrations

# Only the status of a version moves; what it says, and who said it, stays.
REFUSE_UPDATE = """
CREATE FUNCTION context_artifact_versions_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a version of an artifact never changes: write the next version'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER context_artifact_versions_immutable
    BEFORE UPDATE OF id, artifact_id, number, content, sha256, source_agent, author_id, task,
        attempt, fence, provider, model, comment, created_at
    ON context_artifact_versions
    FOR EACH ROW EXECUTE FUNCTION context_artifact_versions_refuse_update();
"""
ALLOW_UPDATE = """
DROP TRIGGER context_artifact_versions_immutable ON context_artifact_versions;
DROP FUNCTION context_artifact_versions_refuse_update();
"""


class Migration(migrations.Migration):
    dependencies = [("context", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE_UPDATE, ALLOW_UPDATE)]
