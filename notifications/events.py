from audit.event_types import Message, MessageBuilder, register_event_type, who


def _webhook(text: str, mark: str = "", tone: str = "") -> MessageBuilder:
    return lambda event, step: Message(
        f"{who(event)} {text} {event.data.get('host')}", mark, tone, stands_out=True
    )


WEBHOOK_CREATED = register_event_type("webhook_created", message=_webhook("made a webhook to"))
WEBHOOK_ROTATED = register_event_type(
    "webhook_rotated", message=_webhook("made a new secret for the webhook to")
)
WEBHOOK_ENABLED = register_event_type(
    "webhook_enabled", message=_webhook("turned on the webhook to")
)
WEBHOOK_DISABLED = register_event_type(
    "webhook_disabled",
    message=lambda event, step: Message(
        f"The webhook to {event.data.get('host')} is off: {event.data.get('reason')}",
        "!",
        "warn",
        stands_out=True,
    ),
)
WEBHOOK_DELETED = register_event_type("webhook_deleted", message=_webhook("deleted the webhook to"))
