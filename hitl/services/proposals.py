"""Another owner's word on a change that makes the rules less strict."""

from uuid import UUID

from django.utils import timezone

from audit.actors import Actor
from core.errors import Conflict, Forbidden, NotFound
from hitl.enums import LooseningStatus
from hitl.events import LOOSENING_CONFIRMED, LOOSENING_DECLINED
from hitl.models import Loosening
from hitl.policy import policy_of
from hitl.services.loosenings import OVERSIGHT, facts_of
from hitl.services.policies import apply_policy, check_floor
from projects.access import MANAGE
from projects.enums import Role
from projects.floor import check_oversight
from projects.services import set_oversight
from projects.transaction import ProjectTransaction


def confirm_loosening(*, project_id: UUID, loosening_id: UUID, actor: Actor) -> Loosening:
    """Another owner agrees, and the change holds from now on.

    Raises NotFound, Forbidden (`own_proposal`, `role_too_low`), Conflict, Unprocessable.
    """
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        loosening = _lock_proposed(tx, loosening_id)
        if loosening.proposed_by_id == actor.user.pk:
            detail = "You proposed it, so another owner has to agree."
            raise Forbidden("own_proposal", detail)
        changes = dict(loosening.changes)
        policy = policy_of(project_id)
        for name, change in changes.items():
            current = tx.project.oversight_level if name == OVERSIGHT else getattr(policy, name)
            if current != change["old"]:
                detail = f"{name} has changed since this was proposed; propose it again."
                raise Conflict("proposal_outdated", detail)
        _settle(loosening, LooseningStatus.CONFIRMED, actor)
        tx.record(LOOSENING_CONFIRMED, **facts_of(loosening))
        if oversight := changes.pop(OVERSIGHT, None):
            check_oversight(oversight["new"])
            set_oversight(tx, oversight["new"])
        if changes:
            values = {name: change["new"] for name, change in changes.items()}
            check_floor(values)
            apply_policy(tx, policy, values)
    return loosening


def decline_loosening(*, project_id: UUID, loosening_id: UUID, actor: Actor) -> Loosening:
    """An owner is against it, or who proposed it takes it back. Raises as `confirm_loosening`."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        loosening = _lock_proposed(tx, loosening_id)
        _settle(loosening, LooseningStatus.DECLINED, actor)
        tx.record(LOOSENING_DECLINED, **facts_of(loosening))
    return loosening


def _lock_proposed(tx: ProjectTransaction, loosening_id: UUID) -> Loosening:
    # An operator manages every project, but the second word is an owner's.
    loosening = Loosening.objects.filter(project=tx.project, pk=loosening_id).first()
    if loosening is None:
        raise NotFound("not_found", "There is no such proposal.")
    if tx.role != Role.OWNER and loosening.proposed_by_id != tx.actor.user.pk:
        detail = "Only an owner of the project can agree to it or decline it."
        raise Forbidden("role_too_low" if tx.role else "not_a_member", detail)
    if loosening.status != LooseningStatus.PROPOSED:
        detail = f"This proposal is {loosening.status}; nothing more can be decided on it."
        raise Conflict("already_decided", detail, proposal_status=loosening.status)
    return loosening


def _settle(loosening: Loosening, status: LooseningStatus, actor: Actor) -> None:
    loosening.status, loosening.decided_by = status, actor.user
    loosening.decided_at = timezone.now()
    loosening.save(update_fields=["status", "decided_by", "decided_at"])
