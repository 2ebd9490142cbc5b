from django.db import migrations

# Two cells in which the id of a row lies, and the project as an array: what a GIN index can ask
# for together with words, without btree_gin. An index of these takes the place of each that there
# was, and serves what older code asks for just as well.
CELLS = "(ARRAY[(id >> 12)::int, -1 - (id >> 18)::int])"
INDEXES = {
    "bodies_by_words": (
        "bodies_by_words_project_and_age", "context_bodies", "search",
        f"search, (ARRAY[project_id]), {CELLS}",
    ),
    "sections_by_trigrams": (
        "sections_by_trigrams_and_age", "context_sections", "trigrams", f"trigrams, {CELLS}",
    ),
    "concepts_by_trigrams": (
        "concepts_by_trigrams_and_age", "context_concepts", "trigrams", f"trigrams, {CELLS}",
    ),
}


def exchange(old, new, table, columns):
    """One by one, for they run outside of a transaction; again after an attempt that was ended."""
    return [
        f"DROP INDEX CONCURRENTLY IF EXISTS {new}",
        f"CREATE INDEX CONCURRENTLY {new} ON {table} USING gin ({columns})",
        f"DROP INDEX CONCURRENTLY IF EXISTS {old}",
    ]


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('context', '0008_lineage'),
    ]

    operations = [
        migrations.RunSQL(
            exchange(old, new, table, columns), exchange(new, old, table, column),
        )
        for old, (new, table, column, columns) in INDEXES.items()
    ]
