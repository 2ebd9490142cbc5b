import django.db.models.deletion
from django.db import migrations, models

FILL = """
UPDATE {table} SET project_id = context_artifacts.project_id
FROM context_artifact_versions JOIN context_artifacts
    ON context_artifacts.id = context_artifact_versions.artifact_id
WHERE context_artifact_versions.id = {table}.version_id;
"""


def project_field():
    return models.ForeignKey(
        blank=True, db_index=False, editable=False, null=True,
        on_delete=django.db.models.deletion.CASCADE, related_name='+', to='projects.project',
    )


class Migration(migrations.Migration):

    dependencies = [
        ('context', '0003_sections_and_concepts'),
        ('projects', '0002_engine_failures'),
    ]

    operations = [
        migrations.AddField('section', 'project', project_field()),
        migrations.AddField('concept', 'project', project_field()),
        migrations.RunSQL(
            ''.join(FILL.format(table=t) for t in ('context_sections', 'context_concepts')),
            migrations.RunSQL.noop,
        ),
    ]
