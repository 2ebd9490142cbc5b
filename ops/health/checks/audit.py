from django.db import transaction

from audit.actors import Actor
from audit.events import SYSTEM_WARNING
from audit.services import record
from core.ids import new_id
from ops.health.check import Finding, check
from ops.health.clients import database_cursor


@check("audit", order=5)
def check_audit() -> Finding:
    """Append an event and take it back: to a stream that nobody else has, so that nobody waits."""
    with database_cursor():
        record(
            project_id=new_id(),
            event_type=SYSTEM_WARNING,
            actor=Actor.of_system("health"),
            data={"probe": True},
        )
        transaction.set_rollback(True)
    return Finding(message="an event can be appended")
