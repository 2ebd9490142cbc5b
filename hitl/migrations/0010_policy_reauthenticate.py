import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hitl', '0009_request_rules'),
    ]

    operations = [
        migrations.AddField(
            model_name='policy',
            name='reauthenticate',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), blank=True, db_default=[], default=list, help_text='Kinds of requests for which people give their password again.', size=None),
        ),
    ]
