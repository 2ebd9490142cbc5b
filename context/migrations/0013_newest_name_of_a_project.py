from django.db import migrations

# A search for names that are spelled alike begins with the newest name that its caller may see.
# Only the first row of a text under a name has trigrams, so most rows of a version are not in these.
INDEXES = {
    "named_sections_by_project_and_age": "context_sections",
    "named_concepts_by_project_and_age": "context_concepts",
}


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ("context", "0012_newest_of_a_project"),
    ]

    operations = [
        migrations.RunSQL(
            [
                f"DROP INDEX CONCURRENTLY IF EXISTS {index}",
                f"CREATE INDEX CONCURRENTLY {index} ON {table} (project_id, id)"
                " WHERE trigrams IS NOT NULL",
            ],
            [f"DROP INDEX CONCURRENTLY IF EXISTS {index}"],
        )
        for index, table in INDEXES.items()
    ]
