from django.db import migrations

# Without pg_trgm, which the server of `make run` does not have and which a managed one may not
# let us create: the trigrams of a text, and the project as one more member, in a plain array that
# the GIN index of every PostgreSQL takes. With a null project only the trigrams.
TRIGRAMS = """
CREATE FUNCTION context_trigrams(project uuid, words text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT part), ARRAY[]::text[]) FROM (
        SELECT substr('  ' || word || ' ', place, 3) AS part
        FROM regexp_split_to_table(lower(words), '[][:space:]!-/:-@\\^_`{|}~[]+') AS word,
            generate_series(1, length(word) + 1) AS place
        WHERE word <> ''
        UNION ALL
        SELECT '#' || project::text WHERE project IS NOT NULL
    ) AS parts
$$;
"""
# No lexeme of a text starts with #, so the project can be asked for in the same index as the words.
TEXTS = """
ALTER TABLE context_bodies ADD COLUMN search tsvector GENERATED ALWAYS AS (
    array_to_tsvector(ARRAY['#' || project_id::text]) || to_tsvector('english', text)
) STORED;
CREATE INDEX bodies_by_words ON context_bodies USING gin (search);
"""
NAMES = """
ALTER TABLE context_sections ADD COLUMN trigrams text[] GENERATED ALWAYS AS (
    context_trigrams(project_id, title)
) STORED;
CREATE INDEX sections_by_trigrams ON context_sections USING gin (trigrams);
ALTER TABLE context_concepts ADD COLUMN trigrams text[] GENERATED ALWAYS AS (
    context_trigrams(project_id, identifier || ' ' || title)
) STORED;
CREATE INDEX concepts_by_trigrams ON context_concepts USING gin (trigrams);
CREATE INDEX concepts_by_identifier ON context_concepts (project_id, lower(identifier));
"""


class Migration(migrations.Migration):

    dependencies = [
        ('context', '0004_parts_know_their_project'),
    ]

    operations = [
        migrations.RunSQL(TRIGRAMS, 'DROP FUNCTION context_trigrams(uuid, text)'),
        migrations.RunSQL(TEXTS, 'ALTER TABLE context_bodies DROP COLUMN search'),
        migrations.RunSQL(
            NAMES,
            'DROP INDEX concepts_by_identifier;'
            'ALTER TABLE context_concepts DROP COLUMN trigrams;'
            'ALTER TABLE context_sections DROP COLUMN trigrams',
        ),
    ]
