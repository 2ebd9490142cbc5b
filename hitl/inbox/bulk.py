"""Decide on many requests, each by itself: what one is refused for holds up no other."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from api.errors import Conflict, DomainError
from audit.actors import Actor
from hitl.models import Decision
from hitl.services import decide


@dataclass(frozen=True)
class Result:
    """What became of one item: a decision, or the reason why not."""

    request_id: UUID
    decision: Decision | None = None
    error: DomainError | None = None


def decide_each(
    *, actor: Actor, action: str, shown: Mapping[UUID, str], comment: str, channel: str
) -> list[Result]:
    """`shown` holds the digest of what the person was shown of each request, '' for nothing."""
    return [
        _decide_one(actor, action, request_id, digest, comment, channel)
        for request_id, digest in shown.items()
    ]


def _decide_one(
    actor: Actor, action: str, request_id: UUID, digest: str, comment: str, channel: str
) -> Result:
    if not digest:
        detail = "It was not on the page that you saw. Select it where it is shown."
        return Result(request_id, error=Conflict("not_shown", detail))
    try:
        decision = decide(
            request_id=request_id,
            actor=actor,
            action=action,
            subject_digest=digest,
            comment=comment,
            channel=channel,
        )
    except DomainError as error:
        return Result(request_id, error=error)
    return Result(request_id, decision)
