"""The log of the installation: logins, rights, tokens, and what leaves or enters as a whole.

One more stream, with an id of its own that no project can have. It is hashed, chained, archived and
verified as those of projects are.
"""

from typing import Any
from uuid import UUID

from django.db import transaction

from audit.actors import Actor
from audit.event_types import EventType
from audit.services import record

INSTALLATION = UUID(int=0)


@transaction.atomic
def record_installation(event_type: EventType, actor: Actor, **data: Any) -> int:
    """Append a fact, in the transaction of its change; returns its sequence.

    Call it last: others who log in wait for the stream until the commit.
    """
    return record(project_id=INSTALLATION, event_type=event_type, actor=actor, data=data)
