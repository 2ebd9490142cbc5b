"""What follows when something was changed past the product: a record, and a person is asked."""

from django.db.models import Q

from agents.enums import TaskStatus
from agents.services import escalate_waiting
from audit.actors import Actor
from audit.events import SYSTEM_ERROR
from audit.models import Event
from core.errors import DomainError
from hitl.models import HitlRequest
from projects.integrity import ContentChanged
from projects.transaction import ProjectTransaction

CHECK = Actor.of_system("integrity")


def note_change(error: ContentChanged) -> None:
    """Record it, and ask about the work that waits for a decision on it. Idempotent."""
    try:
        with ProjectTransaction(error.project, CHECK) as tx:
            record_change(tx, error)
            if tx.project.finished_at is not None:
                return
            shows = Q(pk=error.request) | Q(task=error.task)
            if version := {n: error.facts[n] for n in ("artifact", "version") if n in error.facts}:
                shows |= Q(subject__contains={"outputs": [version]})
            pending = HitlRequest.objects.pending().filter(
                shows, project=tx.project, task__isnull=False
            )
            for request in pending.select_related("task"):
                task = tx.lock(type(request.task), request.task_id)
                result = task.result
                is_asked = "outputs" not in result and (
                    result.get("error", {}).get("code") == error.code
                )
                if task.status == TaskStatus.WAITING_FOR_HITL and not is_asked:
                    escalate_waiting(tx, task, error.code, error.detail)
    except DomainError:
        # The project is gone, or was erased.
        return


def record_change(tx: ProjectTransaction, error: ContentChanged) -> None:
    """Once, however often it is found."""
    facts = {"code": error.code, **error.facts}
    events = Event.objects.filter(
        project=tx.project.pk, event_type=SYSTEM_ERROR, data__contains=facts
    )
    if not events.exists():
        data = facts | {"detail": error.detail, "step": ""}
        tx.record(SYSTEM_ERROR, actor=CHECK, task=error.task, request=error.request, **data)
