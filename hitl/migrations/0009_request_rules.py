from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('hitl', '0008_assurance'),
    ]

    operations = [
        migrations.AddField(
            model_name='hitlrequest',
            name='needs_reauthentication',
            field=models.BooleanField(db_default=False, default=False, help_text='Who decides gives their password again.'),
        ),
        migrations.AddField(
            model_name='hitlrequest',
            name='prevents_self_approval',
            field=models.BooleanField(help_text='Authors may not decide, nor go on with their own text. Null: of an old release.', null=True),
        ),
    ]
