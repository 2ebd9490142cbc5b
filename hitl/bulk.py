"""One decision on many requests: each in its own transaction, one result an item."""

from typing import Any
from uuid import UUID

from api.errors import DomainError
from audit.actors import Actor
from hitl.models import HitlRequest
from hitl.services import decide

DECIDED = 201


def decide_all(
    *,
    actor: Actor,
    action: str,
    items: list[dict[str, Any]],
    comment: str = "",
    channel: str,
) -> list[dict[str, Any]]:
    """Results in the order of `items`: `{request, status, code?, detail?}`; status as in HTTP."""
    projects = _projects(items)
    results: list[dict[str, Any]] = [{} for _ in items]
    # By project: within a larger transaction (an idempotent request) locks have one order.
    for index in sorted(range(len(items)), key=lambda i: str(projects.get(items[i]["request"]))):
        results[index] = _decide_one(
            items[index], actor=actor, action=action, comment=comment, channel=channel
        )
    return results


def _projects(items: list[dict[str, Any]]) -> dict[UUID, UUID]:
    ids = [item["request"] for item in items]
    return dict(HitlRequest.objects.filter(pk__in=ids).values_list("pk", "project"))


def _decide_one(item: dict[str, Any], **said: Any) -> dict[str, Any]:
    result = {"request": str(item["request"])}
    try:
        decide(request_id=item["request"], subject_digest=item["subject_digest"], **said)
    except DomainError as error:
        return result | {"status": error.status, "code": error.code, "detail": error.detail}
    return result | {"status": DECIDED}
