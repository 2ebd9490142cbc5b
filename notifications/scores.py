"""What people decided, as scores of the traces of what it was about: for those who watch models.

They hold ids, names and the action; never what was decided on, a comment, or who decided.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
from django.db import connection
from django.utils import timezone

from agents.enums import RequestKind
from agents.models import TaskAttempt
from audit.models import Event
from core.database import release_connection
from hitl.events import DECISION_RECORDED
from hitl.models import Decision
from notifications.channel import channels
from notifications.metrics import NOTIFICATION_SECONDS
from notifications.models import Notification
from notifications.people import save
from notifications.personal import CLAIM, LEASE, NotSent, keep, note
from projects.models import Project

KIND = "score"
TIMEOUT_SECONDS = 10.0
# The receiver says that the score itself is wrong.
REFUSED = (400, 413, 422)
# It may come with the next batch of spans.
NOT_THERE_YET = 404
#: Whether the work was taken as it was. An answer to a question says nothing of that.
APPROVED = {"approve": 1, "amend": 0, "request_changes": 0, "reject": 0}


@dataclass(frozen=True)
class Score:
    """One decision, and the span of the attempt that it was about."""

    id: str
    trace_id: str
    span_id: str
    action: str
    facts: dict[str, str]

    @property
    def approved(self) -> int | None:
        """None of a call: that it may be made says nothing of the work."""
        if self.facts["kind"] == RequestKind.ACTION_APPROVAL:
            return None
        return APPROVED.get(self.action)


def receivers() -> list[str]:
    return [channel.name for channel in channels if getattr(channel, "takes_scores", False)]


def interest(projects: Collection[UUID]) -> dict[UUID, set[str]]:
    types = {str(DECISION_RECORDED)}
    return dict.fromkeys(projects, types) if receivers() else {}


def read(project: Project, events: Sequence[Event]) -> None:
    """Again changes nothing."""
    decided = [event for event in events if event.event_type == DECISION_RECORDED]
    save(
        [
            Notification(
                channel=receiver,
                recipient=receiver,
                kind=KIND,
                project=project,
                key=event.data["decision"],
                epoch=event.epoch,
                sequence=event.sequence,
                run_at=timezone.now(),
            )
            for receiver in receivers()
            for event in decided
        ]
    )


def score_of(decision_id: str) -> Score | None:
    """None where there is no trace of what it was about, as of an agent that runs elsewhere."""
    decisions = Decision.objects.select_related("request")
    decision = decisions.filter(pk=decision_id).first()
    if decision is None or decision.request.task_id is None:
        return None
    request = decision.request
    attempts = TaskAttempt.objects.filter(
        task=request.task_id, started_at__lte=request.created_at
    ).exclude(traceparent="")
    attempt = attempts.order_by("-fence").first()
    if attempt is None:
        return None
    _, trace_id, span_id, _ = attempt.traceparent.split("-")
    facts = {
        "project": str(request.project_id),
        "request": str(request.pk),
        "kind": str(request.kind),
        "agent_type": request.agent_type,
        "step": request.step,
        "attempt": str(attempt.number),
    }
    return Score(str(decision.pk), trace_id, span_id, decision.action, facts)


def send_scores(channel: str, send: Callable[[Score], None], deadline: float) -> int:
    """Until `time.monotonic()` says so, nothing is due or the receiver is away; how many."""
    sent = 0
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(CLAIM, {"lease": LEASE, "channel": channel, "most": 1})
            ids = [row[0] for row in cursor.fetchall()]
        row = Notification.objects.filter(pk__in=ids).first()
        if row is None:
            break
        score = score_of(row.key)
        if score is None:
            row.drop(timezone.now(), "Not sent: there is no trace of what it was about.")
            keep(row)
            continue
        began = time.monotonic()
        try:
            release_connection()
            send(score)
        except NotSent as error:
            note([row], error)
            if error.is_away:
                break
            continue
        NOTIFICATION_SECONDS.labels(channel).observe(time.monotonic() - began)
        note([row], None)
        sent += 1
    return sent


def post(url: str, body: dict[str, Any], **options: Any) -> None:
    """Raises NotSent."""
    try:
        answer = httpx.post(url, json=body, timeout=TIMEOUT_SECONDS, **options)
    except httpx.HTTPError as error:
        raise NotSent(f"No answer: {type(error).__name__}.", is_away=True) from error
    if answer.is_success:
        return
    is_final = answer.status_code in REFUSED
    is_away = not is_final and answer.status_code != NOT_THERE_YET
    raise NotSent(f"It answered {answer.status_code}.", is_final=is_final, is_away=is_away)
