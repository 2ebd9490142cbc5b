from django.db import migrations

REFUSE_UPDATE = """
CREATE FUNCTION hitl_decisions_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'hitl_decisions is append-only: a decision stands as it was made'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER hitl_decisions_immutable BEFORE UPDATE ON hitl_decisions
    FOR EACH ROW EXECUTE FUNCTION hitl_decisions_refuse_update();
"""
ALLOW_UPDATE = """
DROP TRIGGER hitl_decisions_immutable ON hitl_decisions;
DROP FUNCTION hitl_decisions_refuse_update();
"""


class Migration(migrations.Migration):
    dependencies = [("hitl", "0001_initial")]
    operations = [migrations.RunSQL(REFUSE_UPDATE, ALLOW_UPDATE)]
