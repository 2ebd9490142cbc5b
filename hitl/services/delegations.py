"""Absences with somebody who decides meanwhile: made by whoever is away, and ended."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from audit.actors import Actor
from core.errors import Conflict, Forbidden, InvalidInput
from hitl.delegation import Delegation
from hitl.events import DELEGATION_ENDED, DELEGATION_MADE
from hitl.services.locks import database_time
from projects.access import DECIDE, READ, role_of
from projects.enums import Role
from projects.transaction import ProjectTransaction

LONGEST = timedelta(days=366)


def delegate_decisions(
    *,
    project_id: UUID,
    actor: Actor,
    ends_at: datetime,
    delegate: Any = None,
    starts_at: datetime | None = None,
) -> Delegation:
    """The actor is away until then. `delegate`: who may decide for them; None: nobody.

    Only members who decide themselves stand in: what an owner has not given, nobody hands on.
    Raises NotFound, Forbidden, InvalidInput, Conflict `delegation_overlaps`.
    """
    with ProjectTransaction(project_id, actor, require=DECIDE) as tx:
        now = database_time()
        starts_at = max(starts_at or now, now)
        if not starts_at < ends_at <= now + LONGEST:
            detail = f"End it after it starts, at most {LONGEST.days} days from now."
            raise InvalidInput.of("ends_at", "out_of_range", detail)
        if delegate is not None:
            if delegate == actor.user:
                raise InvalidInput.of("delegate", "self", "Name somebody else, or nobody.")
            if not delegate.is_active or role_of(delegate, project_id) not in DECIDE:
                detail = "Only an owner or approver of the project decides for somebody else."
                raise InvalidInput.of("delegate", "cannot_decide", detail)
        others = Delegation.objects.current().filter(project=tx.project, delegator=actor.user)
        if others.filter(starts_at__lt=ends_at, ends_at__gt=starts_at).exists():
            detail = "You have an absence at that time. End it first."
            raise Conflict("delegation_overlaps", detail)
        delegation = Delegation.objects.create(
            project=tx.project,
            delegator=actor.user,
            delegate=delegate,
            starts_at=starts_at,
            ends_at=ends_at,
        )
        tx.record(
            DELEGATION_MADE,
            delegation=str(delegation.pk),
            delegator=actor.user.pk,
            delegate=delegate.pk if delegate else None,
            delegate_name=delegate.get_username() if delegate else None,
            starts_at=starts_at.isoformat(),
            ends_at=ends_at.isoformat(),
        )
    return delegation


def end_delegation(*, project_id: UUID, actor: Actor, delegation_id: UUID) -> Delegation:
    """From now on nobody decides by it. By whoever is away, who stands in, or an owner.

    Again: nothing happens. Raises NotFound, Forbidden.
    """
    with ProjectTransaction(project_id, actor, require=READ) as tx:
        delegation = tx.lock(Delegation, delegation_id)
        concerned = (delegation.delegator_id, delegation.delegate_id)
        if actor.user.pk not in concerned and tx.role != Role.OWNER:
            detail = "Only whoever is away, whoever stands in, or an owner ends it."
            raise Forbidden("role_too_low", detail)
        if delegation.ended_at is None:
            delegation.ended_at = timezone.now()
            delegation.save(update_fields=["ended_at"])
            tx.record(
                DELEGATION_ENDED,
                delegation=str(delegation.pk),
                delegator=delegation.delegator_id,
                delegate=delegation.delegate_id,
            )
    return delegation
