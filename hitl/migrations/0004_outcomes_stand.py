from django.db import migrations

# Beside the locks of the services: a request that has an outcome never gets another one.
REFUSE_SECOND = """
CREATE FUNCTION hitl_requests_refuse_second_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'request % is % for good', OLD.id, OLD.status
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER hitl_requests_outcome_stands BEFORE UPDATE OF status ON hitl_requests
    FOR EACH ROW WHEN (OLD.status <> 'pending' AND NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION hitl_requests_refuse_second_outcome();

CREATE FUNCTION hitl_comments_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'hitl_comments is append-only: what was said stands'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER hitl_comments_immutable BEFORE UPDATE ON hitl_comments
    FOR EACH ROW EXECUTE FUNCTION hitl_comments_refuse_update();
"""
ALLOW = """
DROP TRIGGER hitl_comments_immutable ON hitl_comments;
DROP FUNCTION hitl_comments_refuse_update();
DROP TRIGGER hitl_requests_outcome_stands ON hitl_requests;
DROP FUNCTION hitl_requests_refuse_second_outcome();
"""


class Migration(migrations.Migration):
    dependencies = [("hitl", "0003_policies")]
    operations = [migrations.RunSQL(REFUSE_SECOND, ALLOW)]
