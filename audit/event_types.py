"""The types of events. Each app registers its own in its module `events`; the log knows no more."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from core.registry import Registry

if TYPE_CHECKING:
    from audit.models import Event


@dataclass(frozen=True)
class Message:
    """What an event means to somebody who follows the project, in one line.

    `mark` is "!", "?", "+", "-", "✓" or nothing; `tone` good, bad, warn, info, decided or
    nothing. Screens turn them into icons and colours.
    """

    text: str
    mark: str = ""
    tone: str = ""
    stands_out: bool = False


# Given the event and the title of its step. None: another event's message says it already.
MessageBuilder = Callable[["Event", str], Message | None]


class EventType(str):
    """The name of a type, as it is stored and sent, with what the product knows about it."""

    message: MessageBuilder | None = None
    #: What waits for a person may be another thing now.
    changes_inbox = False
    #: Somebody may see less than before.
    changes_access = False
    #: From now on the log may have events without payloads.
    erases_payloads = False

    @classmethod
    def named(cls, name: str) -> "EventType":
        """Also of a name that nothing is registered under, as in the log of an app that is gone."""
        return event_types.get(name) or EventType(name)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_registered)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"enum": event_types.values, "title": "EventType", "type": "string"}


def _registered(value: Any) -> EventType:
    if not isinstance(value, str) or value not in event_types:
        raise PydanticCustomError("event_type", "There is no such event type")
    return event_types[value]


event_types: Registry[EventType] = Registry("event type", place="events")


def event_type_choices() -> list[tuple[str, str]]:
    return event_types.choices


def register_event_type(
    name: str,
    *,
    label: str = "",
    message: MessageBuilder | None = None,
    changes_inbox: bool = False,
    changes_access: bool = False,
    erases_payloads: bool = False,
) -> EventType:
    event_type = EventType(name)
    event_type.message = message
    event_type.changes_inbox = changes_inbox
    event_type.changes_access = changes_access
    event_type.erases_payloads = erases_payloads
    return event_types.register(name, event_type, label=label)


def who(event: "Event") -> str:
    """Whoever caused the event, by name."""
    return event.data.get("actor_name") or event.actor.partition(":")[2]
