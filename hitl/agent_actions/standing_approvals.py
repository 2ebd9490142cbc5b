"""A person's word for further calls like one they approve: so many, within bounds, for hours."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jsonschema
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from audit.actors import Actor
from core.errors import InvalidInput
from hitl.agent_actions.approval import current_policy, why_not_covered
from hitl.agent_actions.records import settle_action
from hitl.agent_actions.schemas import check_schema
from hitl.enums import ActionStatus
from hitl.events import STANDING_APPROVAL_REVOKED
from hitl.models import AgentAction, StandingApproval
from projects.access import DECIDE
from projects.models import Project
from projects.transaction import ProjectTransaction

FOLLOW_UP_HOURS = 8
FOLLOW_UP_MAX = 100


def checked_follow_up(action: AgentAction, content: Any, now: datetime) -> dict[str, Any] | None:
    """`{"follow_up": {"count", "bounds", "until"?}}` with an approval: up to so many calls more."""
    if content in (None, {}, ""):
        return None
    follow_up = content.get("follow_up") if isinstance(content, dict) else None
    if not isinstance(follow_up, dict) or set(content) != {"follow_up"}:
        raise InvalidInput.of("content", "invalid", "An approval takes `follow_up` or nothing.")
    field = "content.follow_up"
    if unknown := set(follow_up) - {"count", "bounds", "until"}:
        raise InvalidInput.of(f"{field}.{min(unknown)}", "unknown_field", "Unknown field.")
    count = follow_up.get("count")
    if type(count) is not int or not 1 <= count <= FOLLOW_UP_MAX:
        detail = f"Approve 1 to {FOLLOW_UP_MAX} further calls."
        raise InvalidInput.of(f"{field}.count", "out_of_range", detail)
    latest = now + timedelta(hours=FOLLOW_UP_HOURS)
    until = follow_up.get("until")
    try:
        expires_at = latest if until is None else parse_datetime(until)
    except (TypeError, ValueError):
        expires_at = None
    if expires_at is None or expires_at.tzinfo is None or not now < expires_at <= latest:
        detail = f"Send a time with its zone, at most {FOLLOW_UP_HOURS} hours ahead."
        raise InvalidInput.of(f"{field}.until", "out_of_range", detail)
    bounds = follow_up.get("bounds")
    if not isinstance(bounds, dict) or not bounds:
        detail = "Say within which bounds, as a JSON Schema of the arguments."
        raise InvalidInput.of(f"{field}.bounds", "required", detail)
    check_schema(f"{field}.bounds", bounds)
    if not jsonschema.Draft202012Validator(bounds).is_valid(json.loads(action.arguments)):
        detail = "This very call is outside of the bounds."
        raise InvalidInput.of(f"{field}.bounds", "excludes_this", detail)
    return {"bounds": bounds, "uses_max": count, "expires_at": expires_at}


def find_standing_approval(action: AgentAction, now: datetime) -> StandingApproval | None:
    """A person's word that covers this very call, if hints do not ask for more care."""
    if action.hints.get("destructiveHint"):
        return None
    rules = StandingApproval.objects.select_for_update(no_key=True, of=("self",)).filter(
        project=action.project_id,
        credential=action.credential,
        agent_name=action.agent["name"],
        tool=action.tool,
        expires_at__gt=now,
        revoked_at=None,
    )
    arguments = json.loads(action.arguments)
    for rule in rules.filter(uses_count__lt=F("uses_max")).order_by("created_at"):
        is_within = jsonschema.Draft202012Validator(rule.bounds).is_valid(arguments)
        if is_within and not why_not_covered(action, rule, current_policy(action)):
            return rule
    return None


def open_standing_approvals(project: Project) -> list[StandingApproval]:
    """Those that still cover calls, the newest first."""
    rules = project.standing_approvals.filter(
        revoked_at=None, expires_at__gt=Now(), uses_count__lt=F("uses_max")
    )
    return list(rules.select_related("given_by", "decision").order_by("-created_at"))


def use_standing_approval(
    tx: ProjectTransaction, action: AgentAction, rule: StandingApproval, now: datetime
) -> None:
    """Recorded as the standing word of the person who gave it."""
    rule.uses_count += 1
    rule.save(update_fields=["uses_count"])
    action.rule = rule
    use = {"rule": str(rule.pk), "given_by": rule.given_by_id, "use": rule.uses_count}
    settle_action(tx, action, ActionStatus.APPROVED, now, **use)


def revoke_standing_approval(*, project_id: UUID, actor: Actor, rule_id: UUID) -> StandingApproval:
    """From now on a person is asked again. Idempotent. Raises NotFound, Forbidden."""
    with ProjectTransaction(project_id, actor, require=DECIDE) as tx:
        rule = tx.lock(StandingApproval, rule_id)
        if rule.revoked_at is None:
            rule.revoked_at = timezone.now()
            rule.save(update_fields=["revoked_at"])
            tx.record(STANDING_APPROVAL_REVOKED, rule=str(rule.pk), used=rule.uses_count)
    return rule
