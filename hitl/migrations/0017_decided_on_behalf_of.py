import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("hitl", "0016_delegations"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="decision",
            name="on_behalf_of",
            field=models.ForeignKey(blank=True, db_index=False, help_text="Who was away, and had named this person. Null: nobody.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name="decision",
            constraint=models.UniqueConstraint(condition=models.Q(("on_behalf_of__isnull", False)), fields=("request", "on_behalf_of"), name="decision_once_for_a_person"),
        ),
    ]
