"""The kinds of things that people are told of: which events, and whom of a project they concern."""

from collections.abc import Iterable
from dataclasses import dataclass

from agents import events as agents
from audit import events as audit
from audit.event_types import EventType
from core.registry import Registry
from hitl import events as hitl
from projects import events as projects
from projects.access import DECIDE, MANAGE


@dataclass(frozen=True)
class Kind:
    """`is_request`: about a request that somebody still has to decide on, and may."""

    name: str
    about: str
    event_types: frozenset[str]
    roles: frozenset[str]
    is_request: bool = False


#: Of a notification that a person has sent to themselves.
TEST = "test"

kinds: Registry[Kind] = Registry("kind of notification", place="notices")


def register_kind(
    name: str,
    *,
    label: str,
    about: str,
    event_types: Iterable[EventType] = (),
    roles: frozenset[str] = DECIDE,
    is_request: bool = False,
    order: int = 0,
) -> Kind:
    kind = Kind(name, about, frozenset(map(str, event_types)), roles, is_request)
    return kinds.register(name, kind, label=label, order=order)


def kind_of(event_type: str) -> Kind | None:
    return next((kind for kind in kinds if event_type in kind.event_types), None)


REQUEST = register_kind(
    "request",
    label="New requests",
    about="An agent asks, and you can decide on it.",
    event_types=[hitl.REQUEST_CREATED],
    is_request=True,
    order=1,
)
REMINDER = register_kind(
    "reminder",
    label="Reminders",
    about="A request that you can decide on still waits.",
    event_types=[hitl.REQUEST_REMINDED],
    is_request=True,
    order=2,
)
OVERDUE = register_kind(
    "overdue",
    label="Overdue requests",
    about="A request that you can decide on is overdue.",
    event_types=[hitl.REQUEST_OVERDUE],
    is_request=True,
    order=3,
)
ESCALATION = register_kind(
    "escalation",
    label="Escalations",
    about="Nobody decided in time, so only an owner can decide now.",
    event_types=[hitl.REQUEST_ESCALATED],
    is_request=True,
    order=4,
)
STOP = register_kind(
    "stop",
    label="Emergency stops",
    about="Somebody stopped agents, or let them go on.",
    event_types=[agents.EMERGENCY_STOP_ACTIVATED, agents.EMERGENCY_STOP_RELEASED],
    order=5,
)
FAILURE = register_kind(
    "failure",
    label="Failures",
    about="A project failed, work waits long for its next attempt, or something is broken.",
    event_types=[projects.PROJECT_FAILED, agents.TASK_DELAYED, audit.SYSTEM_ERROR],
    order=6,
)
COMPLETED = register_kind(
    "completed",
    label="Completed projects",
    about="A project is done, or was cancelled.",
    event_types=[projects.PROJECT_COMPLETED, projects.PROJECT_CANCELLED],
    order=7,
)
RULES = register_kind(
    "rules",
    label="Rules that were loosened or passed",
    about="Somebody made a project's rules less strict, or decided against them.",
    event_types=[hitl.BREAK_GLASS_USED, hitl.POLICY_LOOSENED, hitl.LOOSENING_PROPOSED],
    roles=MANAGE,
    order=8,
)
INTEGRITY = register_kind(
    "integrity",
    label="Integrity alarms",
    about="The log, or what it is about, was changed behind Paraph's back.",
    roles=MANAGE,
    order=9,
)
