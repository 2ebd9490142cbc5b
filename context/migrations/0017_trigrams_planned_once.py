from django.db import migrations

# A function in SQL is parsed and planned anew in each transaction, one in PL/pgSQL once a
# connection: a name took three times as long.
PARTS = """(SELECT array_agg(DISTINCT part) FROM (
        SELECT substr('  ' || word || ' ', place, 3) AS part
        FROM regexp_split_to_table(lower(words), '[][:space:]!-/:-@\\^_`{|}~[]+') AS word,
            generate_series(1, length(word) + 1) AS place
        WHERE word <> ''
        UNION ALL
        SELECT '#' || project::text WHERE project IS NOT NULL
    ) AS parts)"""
HEAD = "CREATE OR REPLACE FUNCTION context_trigrams(project uuid, words text) RETURNS text[]"
PLANNED_ONCE = f"""{HEAD} LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN coalesce({PARTS}, ARRAY[]::text[]);
END $$"""
BACK = f"""{HEAD} LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce({PARTS}, ARRAY[]::text[])
$$"""


class Migration(migrations.Migration):

    dependencies = [("context", "0016_imported_claims")]

    operations = [migrations.RunSQL([PLANNED_ONCE], [BACK])]
