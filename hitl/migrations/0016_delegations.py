import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import core.ids


class Migration(migrations.Migration):
    dependencies = [
        ("hitl", "0015_actions_pending"),
        ("projects", "0008_invitations"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Delegation",
            fields=[
                ("id", models.UUIDField(default=core.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("ended_at", models.DateTimeField(blank=True, help_text="Ended before its time.", null=True)),
                ("delegate", models.ForeignKey(blank=True, help_text="Null: nobody stands in.", null=True, on_delete=django.db.models.deletion.PROTECT, related_name="delegations_taken", to=settings.AUTH_USER_MODEL)),
                ("delegator", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="delegations_given", to=settings.AUTH_USER_MODEL)),
                ("project", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="delegations", to="projects.project")),
            ],
            options={
                "db_table": "hitl_delegations",
                "ordering": ["starts_at", "id"],
                "indexes": [models.Index(condition=models.Q(("ended_at", None)), fields=["delegate", "ends_at"], name="delegations_to_a_person")],
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="delegation_ends_after_it_starts"),
                    models.CheckConstraint(condition=models.Q(("delegate", None), models.Q(("delegate", models.F("delegator")), _negated=True), _connector="OR"), name="delegation_is_to_somebody_else"),
                ],
            },
        ),
    ]
