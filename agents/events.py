from audit.event_types import Message, MessageBuilder, register_event_type, who
from audit.models import Event


def _started(event: Event, step: str) -> Message:
    attempt = event.data.get("attempt", 1)
    again = f" (attempt {attempt})" if attempt > 1 else ""
    return Message(f"{event.data.get('agent_type')} is working on {step}{again}", tone="info")


def _retried(event: Event, step: str) -> Message:
    data = event.data
    if "delay_ms" in data:
        again = f"Trying again in {data['delay_ms'] / 1000:.1f} s"
        reason = f"{data['code']}: {data['detail']} {again}"
    else:
        cause = {
            "answered": "continues with the answer",
            "decided": "continues with the decision",
            "tried_again": "is tried again",
            "worker_lost": "the worker was lost, trying again",
        }
        reason = cause.get(data.get("cause", ""), "back in the queue")
    return Message(f"{step}: {reason}", "!", "warn")


def _delayed(event: Event, step: str) -> Message:
    data = event.data
    text = (
        f"{step}: {data['detail']} The next attempt is at {data['next_attempt_at']}. To try again "
        f"now, use the button on the project's page, or: manage.py retry_task {event.task}"
    )
    return Message(text, "!", "bad", stands_out=True)


def _completed(event: Event, step: str) -> Message:
    verdict = event.data.get("verdict")
    text = f"{step}, verdict {verdict}" if verdict else step
    return Message(text, "✓", "bad" if verdict == "fail" else "good")


def _cancelled(event: Event, step: str) -> Message:
    cause = {
        "changes_requested": "will be done again",
        "rewound": "is discarded by a rewind",
        "project_stopped": "stops with the project",
    }.get(event.data.get("cause", ""), "was cancelled")
    return Message(f"{step} {cause}", "-", "warn")


def _stop(text: str, tone: str = "") -> MessageBuilder:
    def message(event: Event, step: str) -> Message:
        reason = f": {event.data['reason']}" if event.data.get("reason") else ""
        return Message(f"{text} by {who(event)}{reason}", tone=tone, stands_out=True)

    return message


def _tools_used(event: Event, step: str) -> Message:
    data = event.data
    calls = [
        call["tool"] if call["outcome"] == "succeeded" else f"{call['tool']} ({call['outcome']})"
        for call in data.get("calls", [])
    ]
    return Message(f"{data.get('agent_type')}, turn {data.get('turn')}: {', '.join(calls)}")


TASK_CREATED = register_event_type("task_created")
TASK_STARTED = register_event_type("task_started", message=_started)
TASK_PROGRESS = register_event_type("task_progress")
TASK_RETRIED = register_event_type("task_retried", message=_retried)
TASK_DELAYED = register_event_type("task_delayed", message=_delayed)
TASK_COMPLETED = register_event_type("task_completed", message=_completed)
TASK_FAILED = register_event_type("task_failed")
TASK_CANCELLED = register_event_type("task_cancelled", message=_cancelled)
TOOLS_USED = register_event_type("tools_used", message=_tools_used)
# In the log of the installation.
AGENT_TYPE_CHANGED = register_event_type("agent_type_changed")
AGENT_TYPE_DELETED = register_event_type("agent_type_deleted")
AGENT_STATUS_CHANGED = register_event_type("agent_status_changed")
EMERGENCY_STOP_ACTIVATED = register_event_type(
    "emergency_stop_activated", message=_stop("Emergency stop", tone="bad"), changes_inbox=True
)
EMERGENCY_STOP_RELEASED = register_event_type(
    "emergency_stop_released", message=_stop("Emergency stop released"), changes_inbox=True
)


def _endpoint(text: str) -> MessageBuilder:
    return lambda event, step: Message(
        f"{who(event)} {text} the models' endpoint {event.data.get('name')}", stands_out=True
    )


MODEL_ENDPOINT_CHANGED = register_event_type("model_endpoint_changed", message=_endpoint("set"))
MODEL_ENDPOINT_DELETED = register_event_type("model_endpoint_deleted", message=_endpoint("removed"))
