from django.db import migrations, models

BEFORE = """
    project_created project_started project_paused project_resumed project_rewound
    project_completed project_failed project_cancelled project_updated member_added
    member_removed task_created task_started task_progress task_retried task_completed
    task_failed task_cancelled agent_status_changed artifact_created artifact_updated
    hitl_request_created hitl_decision_recorded hitl_request_resolved hitl_request_expired
    hitl_request_superseded emergency_stop_activated emergency_stop_released system_warning
    system_error
""".split()
ADDED = """
    hitl_request_reminded hitl_request_overdue hitl_request_escalated hitl_request_claimed
    hitl_request_released hitl_request_reassigned hitl_comment_added hitl_break_glass_used
    hitl_policy_changed
""".split()
PLACE = BEFORE.index("emergency_stop_activated")
AFTER = BEFORE[:PLACE] + ADDED + BEFORE[PLACE:]


def hold_to(types: list[str]) -> str:
    """Without looking through a long log: no row has a type that the wider rule would refuse, and
    on the way back what is recorded stays."""
    known = ", ".join(f"'{one}'" for one in types)
    return (
        "ALTER TABLE event_log DROP CONSTRAINT event_type_known, ADD CONSTRAINT event_type_known"
        f" CHECK (event_type IN ({known})) NOT VALID"
    )


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_append_only")]
    operations = [
        migrations.RunSQL(
            hold_to(AFTER),
            hold_to(BEFORE),
            state_operations=[
                migrations.RemoveConstraint("event", "event_type_known"),
                migrations.AlterField(
                    "event",
                    "event_type",
                    models.CharField(
                        choices=[(one, one.replace("_", " ").title()) for one in AFTER],
                        max_length=40,
                    ),
                ),
                migrations.AddConstraint(
                    "event",
                    models.CheckConstraint(
                        condition=models.Q(event_type__in=AFTER), name="event_type_known"
                    ),
                ),
            ],
        )
    ]
