from django.db import models


class EventSource(models.TextChoices):
    AGENT = "agent", "an agent at work"
    USER = "user", "a person"
    SYSTEM = "system", "the product itself"
    WEBHOOK = "webhook", "another system"
    SCHEDULER = "scheduler", "the clock"


class EventType(models.TextChoices):
    PROJECT_CREATED = "project_created"
    PROJECT_STARTED = "project_started"
    PROJECT_PAUSED = "project_paused"
    PROJECT_RESUMED = "project_resumed"
    PROJECT_REWOUND = "project_rewound"
    PROJECT_COMPLETED = "project_completed"
    PROJECT_FAILED = "project_failed"
    PROJECT_CANCELLED = "project_cancelled"
    PROJECT_UPDATED = "project_updated"
    PROJECT_ERASED = "project_erased"
    EVENTS_ARCHIVED = "events_archived"
    MEMBER_ADDED = "member_added"
    MEMBER_REMOVED = "member_removed"
    TASK_CREATED = "task_created"
    TASK_STARTED = "task_started"
    TASK_PROGRESS = "task_progress"
    TASK_RETRIED = "task_retried"
    TASK_COMPLETED = "task_completed"
    TASK_FAILED = "task_failed"
    TASK_CANCELLED = "task_cancelled"
    AGENT_STATUS_CHANGED = "agent_status_changed"
    ARTIFACT_CREATED = "artifact_created"
    ARTIFACT_UPDATED = "artifact_updated"
    HITL_REQUEST_CREATED = "hitl_request_created"
    HITL_DECISION_RECORDED = "hitl_decision_recorded"
    HITL_REQUEST_RESOLVED = "hitl_request_resolved"
    HITL_REQUEST_EXPIRED = "hitl_request_expired"
    HITL_REQUEST_SUPERSEDED = "hitl_request_superseded"
    HITL_REQUEST_REMINDED = "hitl_request_reminded"
    HITL_REQUEST_OVERDUE = "hitl_request_overdue"
    HITL_REQUEST_ESCALATED = "hitl_request_escalated"
    HITL_REQUEST_CLAIMED = "hitl_request_claimed"
    HITL_REQUEST_RELEASED = "hitl_request_released"
    HITL_REQUEST_REASSIGNED = "hitl_request_reassigned"
    HITL_COMMENT_ADDED = "hitl_comment_added"
    HITL_BREAK_GLASS_USED = "hitl_break_glass_used"
    HITL_POLICY_CHANGED = "hitl_policy_changed"
    EMERGENCY_STOP_ACTIVATED = "emergency_stop_activated"
    EMERGENCY_STOP_RELEASED = "emergency_stop_released"
    SYSTEM_WARNING = "system_warning"
    SYSTEM_ERROR = "system_error"


# What waits for a person may be another thing after these.
CHANGES_AN_INBOX = frozenset(
    event_type
    for event_type in EventType
    if event_type.startswith(("hitl_", "member_", "emergency_"))
)
# After these the log may have events without their payloads.
ERASES_PAYLOADS = frozenset({EventType.PROJECT_ERASED, EventType.EVENTS_ARCHIVED})
