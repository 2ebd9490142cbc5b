from django.db import migrations

# For who looks everywhere: the index that begins with the project leaps from project to project.
NEWEST_OF_AN_IDENTIFIER = [
    'DROP INDEX CONCURRENTLY IF EXISTS concepts_by_identifier_and_age',
    'CREATE INDEX CONCURRENTLY concepts_by_identifier_and_age'
    ' ON context_concepts (lower(identifier), id)',
]


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('context', '0010_names_once'),
    ]

    operations = [
        migrations.RunSQL(NEWEST_OF_AN_IDENTIFIER, NEWEST_OF_AN_IDENTIFIER[:1]),
    ]
