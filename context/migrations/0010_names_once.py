import django.db.models.deletion
from django.db import migrations, models

# The trigrams of a name are many times as long as the rest of its row, and most parts of a version
# stood in the version before. So only the first row of a text under a name has them, whoever writes
# it: a trigger serves older code, too. The index of body_id finds the row that was there before.
WITH_NAMES = """
ALTER TABLE {table} ALTER COLUMN trigrams DROP EXPRESSION IF EXISTS;
CREATE OR REPLACE FUNCTION {table}_name_once() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM {table} AS part
        WHERE part.body_id = NEW.body_id AND part.trigrams IS NOT NULL AND {same}
    ) THEN
        NEW.trigrams := context_trigrams(NEW.project_id, {name});
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS {table}_name_once ON {table};
CREATE TRIGGER {table}_name_once BEFORE INSERT ON {table}
FOR EACH ROW EXECUTE FUNCTION {table}_name_once();
"""
# PostgreSQL cannot make a column generated again, so the way back writes it anew.
BACK = """
DROP TRIGGER {table}_name_once ON {table};
DROP FUNCTION {table}_name_once();
ALTER TABLE {table} DROP COLUMN trigrams;
ALTER TABLE {table} ADD COLUMN trigrams text[] GENERATED ALWAYS AS (
    context_trigrams(project_id, {generated})
) STORED;
CREATE INDEX {old_index} ON {table} USING gin ({indexed});
"""
# Rows without trigrams need not be found by them. That of versions alone is the beginning of the
# unique one: by version and position, or identifier.
INDEXES = [
    ("DROP INDEX CONCURRENTLY IF EXISTS {index}", None),
    (
        "CREATE INDEX CONCURRENTLY {index} ON {table} USING gin ({indexed}) "
        "WHERE trigrams IS NOT NULL",
        "DROP INDEX CONCURRENTLY IF EXISTS {index}",
    ),
    ("DROP INDEX CONCURRENTLY IF EXISTS {old_index}", None),
    (
        "DROP INDEX CONCURRENTLY IF EXISTS {versions}",
        "CREATE INDEX CONCURRENTLY {versions} ON {table} (version_id)",
    ),
]
INDEXED = "trigrams, (ARRAY[(id >> 12)::int, -1 - (id >> 18)::int])"
NAMES = [
    {
        "table": "context_sections",
        "old_index": "sections_by_trigrams_and_age",
        "index": "named_sections_by_trigrams_and_age",
        "versions": "context_sections_version_id_57130be0",
        "same": "part.title = NEW.title",
        "name": "NEW.title",
        "generated": "title",
    },
    {
        "table": "context_concepts",
        "old_index": "concepts_by_trigrams_and_age",
        "index": "named_concepts_by_trigrams_and_age",
        "versions": "context_concepts_version_id_641efc5b",
        "same": "part.identifier = NEW.identifier AND part.title = NEW.title",
        "name": "NEW.identifier || ' ' || NEW.title",
        "generated": "identifier || ' ' || title",
    },
]


def in_turn(there, back, names):
    back = migrations.RunSQL.noop if back is None else [back.format(indexed=INDEXED, **names)]
    return migrations.RunSQL([there.format(indexed=INDEXED, **names)], back)


def without_an_index_of_its_own(model):
    version = models.ForeignKey(
        db_index=False,
        on_delete=django.db.models.deletion.CASCADE,
        related_name=f"{model}s",
        to="context.artifactversion",
    )
    return migrations.AlterField(model, "version", version)


class Migration(migrations.Migration):

    # One table after the other, or it could wait for requests that wait for it.
    atomic = False

    dependencies = [("context", "0009_newest_first")]

    operations = [
        *(
            migrations.RunSQL([WITH_NAMES.format(**one)], [BACK.format(indexed=INDEXED, **one)])
            for one in NAMES
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                in_turn(there, back, table) for table in NAMES for there, back in INDEXES
            ],
            state_operations=[
                without_an_index_of_its_own("concept"),
                without_an_index_of_its_own("section"),
            ],
        ),
    ]
