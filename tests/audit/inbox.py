from typing import Any

from audit.access import access_policy
from audit.models import Event


def waiting_for(user: Any) -> list[dict[str, Any]]:
    """An inbox as the app above would have it: here, every request that was ever made."""
    events = Event.objects.filter(
        project__in=access_policy().visible_project_ids(user), event_type="hitl_request_created"
    )
    return [{"sequence": event.sequence} for event in events]
