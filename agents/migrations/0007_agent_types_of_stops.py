from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0006_agent_types_from_registry'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='emergencystop',
            name='stop_agent_type_known',
        ),
    ]
