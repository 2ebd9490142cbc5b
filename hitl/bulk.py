"""Decide on many requests, each by itself: what one is refused for holds up no other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from audit.actors import Actor
from core.errors import Conflict, DomainError
from hitl.models import Decision, HitlRequest
from hitl.services import decide


@dataclass(frozen=True)
class Item:
    """A request, and the digest of what the person was shown of it; '' for nothing."""

    request: UUID
    subject_digest: str


@dataclass(frozen=True)
class Result:
    """What became of one item: a decision, or the reason why not."""

    request: UUID
    decision: Decision | None = None
    error: DomainError | None = None


def decide_each(
    *, actor: Actor, action: str, items: Sequence[Item], comment: str = "", channel: str
) -> list[Result]:
    """Each in a transaction of its own; the results are in the order of `items`."""
    said = {"actor": actor, "action": action, "comment": comment, "channel": channel}
    results = {place: _decide_one(items[place], **said) for place in _in_order_of_locks(items)}
    return [results[place] for place in range(len(items))]


def _in_order_of_locks(items: Sequence[Item]) -> list[int]:
    """By project: within a larger transaction (an idempotent request) locks have one order."""
    ids = [item.request for item in items]
    projects = dict(HitlRequest.objects.filter(pk__in=ids).values_list("pk", "project"))
    return sorted(range(len(items)), key=lambda place: str(projects.get(ids[place])))


def _decide_one(item: Item, **said: Any) -> Result:
    if not item.subject_digest:
        detail = "It was not on the page that you saw. Select it where it is shown."
        return Result(item.request, error=Conflict("not_shown", detail))
    try:
        decision = decide(request_id=item.request, subject_digest=item.subject_digest, **said)
    except DomainError as error:
        return Result(item.request, error=error)
    return Result(item.request, decision)
