from audit.event_types import Message, MessageBuilder, register_event_type, who
from audit.models import Event


def _status(text: str, tone: str = "") -> MessageBuilder:
    def message(event: Event, step: str) -> Message:
        reason = f": {event.data['reason']}" if event.data.get("reason") else ""
        return Message(f"{text} by {who(event)}{reason}", tone=tone, stands_out=True)

    return message


def _rewound(event: Event, step: str) -> Message:
    cause = {"loop": "the verdict was fail", "changes_requested": "changes were requested"}.get(
        event.data.get("cause", ""), who(event)
    )
    return Message(f"Back to {step}: {cause}", "-", "warn", stands_out=True)


# Of the installation.
WORKFLOW_SAVED = register_event_type("workflow_saved")
PROJECT_CREATED = register_event_type("project_created")
PROJECT_UPDATED = register_event_type("project_updated")
PROJECT_STARTED = register_event_type("project_started", message=_status("Project started"))
PROJECT_PAUSED = register_event_type(
    "project_paused", message=_status("Project paused", tone="warn")
)
PROJECT_RESUMED = register_event_type("project_resumed", message=_status("Project resumed"))
PROJECT_REWOUND = register_event_type("project_rewound", message=_rewound)
PROJECT_COMPLETED = register_event_type(
    "project_completed", message=_status("Project completed", tone="good")
)
PROJECT_FAILED = register_event_type(
    "project_failed", message=_status("Project failed", tone="bad")
)
PROJECT_CANCELLED = register_event_type(
    "project_cancelled", message=_status("Project cancelled", tone="bad")
)
# In the log of the installation.
EXPORT_MADE = register_event_type("export_made")
IMPORT_MADE = register_event_type("import_made")
ERASURE_MADE = register_event_type("erasure_made")
FLOOR_CHANGED = register_event_type("floor_changed")
PROJECT_ERASED = register_event_type("project_erased", erases_payloads=True)
MEMBER_ADDED = register_event_type("member_added", changes_inbox=True)
MEMBER_INVITED = register_event_type(
    "member_invited",
    message=lambda event, step: Message(
        f"{who(event)} invited somebody as {event.data.get('role')}"
    ),
)
INVITATION_WITHDRAWN = register_event_type("invitation_withdrawn")
GROUP_ADDED = register_event_type("group_added", changes_inbox=True)
GROUP_REMOVED = register_event_type("group_removed", changes_inbox=True)
MEMBER_REMOVED = register_event_type("member_removed", changes_inbox=True, changes_access=True)


def _credential(text: str) -> MessageBuilder:
    return lambda event, step: Message(
        f"{who(event)} {text} {event.data.get('name')}", stands_out=True
    )


CREDENTIAL_CREATED = register_event_type(
    "credential_created", message=_credential("made a credential for agents:")
)
CREDENTIAL_REVOKED = register_event_type(
    "credential_revoked", message=_credential("revoked the credential"), changes_access=True
)
CREDENTIAL_REFUSED = register_event_type(
    "credential_refused",
    message=lambda event, step: Message(
        f"The agent {event.data.get('name')} tried what its credential may never do: "
        f"{event.data.get('operation')}",
        "!",
        "bad",
        stands_out=True,
    ),
)
