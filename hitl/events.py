from audit.event_types import EventType, Message, MessageBuilder, register_event_type, who
from audit.models import Event


def _hitl_event(name: str, message: MessageBuilder) -> EventType:
    """Whatever happens to a request may change what waits for somebody."""
    label = name.removeprefix("hitl_").replace("_", " ").capitalize()
    return register_event_type(name, label=label, message=message, changes_inbox=True)


def _person(text: str) -> MessageBuilder:
    return lambda event, step: Message(f"{who(event)} {text}")


def _deadline(text: str) -> MessageBuilder:
    return lambda event, step: Message(text, "!", "warn")


def _decided(event: Event, step: str) -> Message:
    action = event.data.get("action", "").replace("_", " ")
    comment = f": {event.data['comment']}" if event.data.get("comment") else ""
    stands_for = event.data.get("on_behalf_of_name")
    person = f"{who(event)} for {stands_for}" if stands_for else who(event)
    return Message(f"{person} decided: {action}{comment}", tone="decided")


def _absence(event: Event) -> str:
    until = f"{who(event)} is away until {event.data.get('ends_at', '')[:10]}"
    name = event.data.get("delegate_name")
    return f"{until}; {name} decides meanwhile" if name else until


def _policy(event: Event, step: str) -> Message:
    return Message(f"{who(event)} changed the policy: {_changed(event)}")


def _changed(event: Event) -> str:
    return ", ".join(event.data.get("changed", [])).replace("_", " ")


def _loosening(verb: str) -> MessageBuilder:
    def message(event: Event, step: str) -> Message:
        text = f"{who(event)} {verb} less strict rules: {_changed(event)}"
        return Message(text, "!", "warn", stands_out=True)

    return message


REQUEST_CREATED = _hitl_event(
    "hitl_request_created",
    lambda event, step: Message(str(event.data.get("title")), "?", "decided", stands_out=True),
)
DECISION_RECORDED = _hitl_event("hitl_decision_recorded", _decided)
# Its decision is in the log already, with a message of its own.
REQUEST_RESOLVED = _hitl_event("hitl_request_resolved", lambda event, step: None)
REQUEST_EXPIRED = _hitl_event(
    "hitl_request_expired",
    lambda event, step: Message(f"Nobody decided in time: {step}", "!", "warn"),
)
REQUEST_SUPERSEDED = _hitl_event(
    "hitl_request_superseded",
    lambda event, step: Message(
        f"{step} has changed, so a new request replaces the old one", "-", "warn"
    ),
)
REQUEST_REMINDED = _hitl_event("hitl_request_reminded", _deadline("Reminder: a request is waiting"))
REQUEST_OVERDUE = _hitl_event("hitl_request_overdue", _deadline("A request is overdue"))
REQUEST_ESCALATED = _hitl_event(
    "hitl_request_escalated", _deadline("Nobody decided in time, so only an owner can decide now")
)
REQUEST_CLAIMED = _hitl_event("hitl_request_claimed", _person("claimed a request"))
REQUEST_RELEASED = _hitl_event("hitl_request_released", _person("released a request"))
REQUEST_REASSIGNED = _hitl_event(
    "hitl_request_reassigned",
    lambda event, step: Message(
        f"{who(event)} reassigned a request to {event.data.get('username')}"
    ),
)
COMMENT_ADDED = _hitl_event("hitl_comment_added", _person("commented on a request"))
BREAK_GLASS_USED = _hitl_event(
    "hitl_break_glass_used",
    lambda event, step: Message(
        f"{who(event)} decided against the rules: {event.data.get('reason')}",
        "!",
        "bad",
        stands_out=True,
    ),
)
DELEGATION_MADE = register_event_type(
    "delegation_made", message=lambda event, step: Message(_absence(event)), changes_inbox=True
)
DELEGATION_ENDED = register_event_type(
    "delegation_ended", message=_person("ended an absence"), changes_inbox=True
)
LOOSENING_PROPOSED = _hitl_event("hitl_policy_loosening_proposed", _loosening("proposes"))
LOOSENING_CONFIRMED = _hitl_event("hitl_policy_loosening_confirmed", _loosening("agrees to"))
LOOSENING_DECLINED = _hitl_event("hitl_policy_loosening_declined", _loosening("declines"))
POLICY_LOOSENED = _hitl_event(
    "hitl_policy_loosened",
    lambda event, step: Message(
        f"{who(event)} alone made the rules less strict: {_changed(event)}",
        "!",
        "bad",
        stands_out=True,
    ),
)
POLICY_CHANGED = _hitl_event("hitl_policy_changed", _policy)


def _action(text: str, mark: str = "", tone: str = "") -> MessageBuilder:
    return lambda event, step: Message(
        f"{event.data.get('agent')} {text} {event.data.get('tool')}", mark, tone, stands_out=True
    )


def _action_event(name: str, message: MessageBuilder) -> EventType:
    return register_event_type(name, message=message, changes_inbox=True)


ACTION_REQUESTED = _action_event("action_requested", _action("asks for"))
ACTION_DECIDED = _action_event(
    "action_decided",
    lambda event, step: Message(
        f"{event.data.get('tool')}: {event.data.get('status')} by {who(event)}", tone="decided"
    ),
)
ACTION_CLAIMED = _action_event("action_claimed", _action("begins"))
ACTION_FINISHED = _action_event(
    "action_finished",
    lambda event, step: Message(f"{event.data.get('tool')}: {event.data.get('status')}"),
)
ACTION_UNKNOWN = _action_event("action_unknown", _action("did not say how it ended:", "!", "bad"))
ACTION_CLOSED = _action_event(
    "action_closed",
    lambda event, step: Message(
        f"{event.data.get('tool')}: {event.data.get('status')}, {event.data.get('reason')}",
        "-",
        "warn",
    ),
)
STANDING_APPROVAL_GIVEN = _action_event(
    "standing_approval_given",
    lambda event, step: Message(
        f"{who(event)} approved up to {event.data.get('uses_max')} more calls of "
        f"{event.data.get('tool')}",
        "!",
        "warn",
        stands_out=True,
    ),
)
STANDING_APPROVAL_REVOKED = _action_event(
    "standing_approval_revoked", _person("revoked a standing approval")
)
