from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hitl', '0007_decision_actions_from_registry'),
    ]

    operations = [
        migrations.AddField(
            model_name='decision',
            name='assurance',
            field=models.CharField(blank=True, choices=[('session', 'Logged in'), ('token', 'Token'), ('reauthenticated', 'Password asked again'), ('terminal', 'Terminal')], db_default='', default='', help_text='Empty: an older release did not note it.', max_length=20),
        ),
        migrations.AddField(
            model_name='decision',
            name='loosenings',
            field=models.JSONField(blank=True, help_text='How the policy had been loosened without a second owner. Null: not at all.', null=True),
        ),
    ]
