"""Decide on many requests, each by itself: a refusal of one holds up no other."""

from collections.abc import Sequence
from dataclasses import dataclass
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
    *,
    actor: Actor,
    action: str,
    items: Sequence[Item],
    comment: str = "",
    channel: str,
    assurance: str = "",
) -> list[Result]:
    """Each in a transaction of its own; the results are in the order of `items`."""
    ids = [item.request for item in items]
    projects = dict(HitlRequest.objects.filter(pk__in=ids).values_list("pk", "project"))
    # By project: within a larger transaction (an idempotent request) locks have one order.
    places = sorted(range(len(items)), key=lambda place: str(projects.get(ids[place])))
    results: dict[int, Result] = {}
    for place in places:
        item = items[place]
        if not item.subject_digest:
            detail = "You have not read it as it is now. Open or preview it, then decide."
            results[place] = Result(item.request, error=Conflict("not_shown", detail))
            continue
        try:
            decision = decide(
                request_id=item.request,
                actor=actor,
                action=action,
                subject_digest=item.subject_digest,
                comment=comment,
                channel=channel,
                assurance=assurance,
            )
            results[place] = Result(item.request, decision)
        except DomainError as error:
            results[place] = Result(item.request, error=error)
    return [results[place] for place in range(len(items))]
