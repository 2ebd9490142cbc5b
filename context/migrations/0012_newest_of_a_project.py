import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('projects', '0002_engine_failures'),
        ('context', '0011_identifiers_everywhere'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='body',
            index=models.Index(fields=['project', 'id'], name='bodies_by_project_and_age'),
        ),
        # Its own index is the beginning of the one above.
        migrations.AlterField(
            model_name='body',
            name='project',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project'),
        ),
    ]
