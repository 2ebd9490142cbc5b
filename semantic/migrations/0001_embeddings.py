from django.db import migrations

from semantic.storage import EXTENSION, STATEMENTS


def create_extension(apps, schema_editor):
    """Where a superuser has not made it yet; who is none gets an error of the checks before."""
    schema_editor.execute(f"CREATE EXTENSION IF NOT EXISTS {EXTENSION}")


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('context', '0011_identifiers_everywhere'),
    ]

    operations = [
        migrations.RunPython(create_extension, migrations.RunPython.noop),
        migrations.RunSQL(STATEMENTS, 'DROP TABLE context_embeddings'),
    ]
