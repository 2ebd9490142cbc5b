"""Stop and release as a test's person, and tell the logs as the sweep does."""

from typing import Any

from django.contrib.auth.models import User

from agents.models import EmergencyStop
from agents.services import (
    activate_emergency_stop,
    record_stop_notices,
    release_emergency_stop,
)
from audit.actors import Actor
from audit.models import Event
from projects.models import Project


def stop(person: User, **scope: Any) -> EmergencyStop:
    wanted = {"reason": "It deletes files."} | scope
    standing, _ = activate_emergency_stop(actor=Actor.of_user(person), **wanted)
    record_stop_notices()
    return standing


def release(person: User, **scope: Any) -> EmergencyStop:
    wanted = {"reason": "It was a drill."} | scope
    over, _ = release_emergency_stop(actor=Actor.of_user(person), **wanted)
    record_stop_notices()
    return over


def told(project: Project) -> list[tuple[str, dict[str, Any]]]:
    found = Event.objects.filter(project=project.pk, event_type__startswith="emergency_stop")
    events = found.order_by("sequence").values_list("event_type", "data")
    return [(kind.removeprefix("emergency_stop_"), data) for kind, data in events]
