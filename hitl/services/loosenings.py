"""A change that makes the rules less strict takes the word of two owners, or leaves a mark.

Where a project has another owner, the change waits for one of them. Where it has not, it holds at
once, and every later decision in the project shows that nobody else agreed.
"""

from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from hitl.enums import LooseningStatus
from hitl.events import LOOSENING_PROPOSED, POLICY_LOOSENED
from hitl.models import Loosening
from projects.enums import Role
from projects.floor import stricter
from projects.models import Membership
from projects.transaction import ProjectTransaction

Changes = dict[str, dict[str, Any]]
OVERSIGHT = "oversight_level"


def loosen(tx: ProjectTransaction, changes: Changes) -> Loosening:
    """Of a change that is less strict: whether it holds now is the status of what is returned.

    An `unconfirmed` one is for the caller to apply, in this transaction.
    """
    others = Membership.objects.filter(
        project=tx.project, role=Role.OWNER, user__is_active=True
    ).exclude(user=tx.actor.user)
    if not others.exists():
        return mark(tx, changes)
    proposed = Loosening.objects.filter(project=tx.project, status=LooseningStatus.PROPOSED)
    proposed.update(status=LooseningStatus.SUPERSEDED, decided_at=Now())
    loosening = Loosening.objects.create(
        project=tx.project,
        status=LooseningStatus.PROPOSED,
        changes=changes,
        proposed_by=tx.actor.user,
    )
    tx.record(LOOSENING_PROPOSED, **facts_of(loosening))
    return loosening


def mark(tx: ProjectTransaction, changes: Changes) -> Loosening:
    """It holds on one person's word, and from now on every decision shows it."""
    loosening = Loosening.objects.create(
        project=tx.project,
        status=LooseningStatus.UNCONFIRMED,
        changes=changes,
        proposed_by=tx.actor.user,
        decided_at=timezone.now(),
    )
    tx.project.policy_loosened_at = loosening.decided_at
    tx.project.save(update_fields=["policy_loosened_at"])
    tx.record(POLICY_LOOSENED, **facts_of(loosening))
    return loosening


def facts_of(loosening: Loosening) -> dict[str, Any]:
    return {
        "loosening": str(loosening.pk),
        "changed": sorted(loosening.changes),
        "fields": loosening.changes,
        "proposed_by": loosening.proposed_by_id,
    }


# Hooks of `projects`.


def oversight_changed(tx: ProjectTransaction, level: str) -> bool:
    """False where a lower level waits for another owner; `project.awaits` is the proposal then."""
    old = tx.project.oversight_level
    if stricter(old, level) == level:
        return True
    loosening = loosen(tx, {OVERSIGHT: {"old": str(old), "new": str(level)}})
    tx.project.awaits = loosening
    return loosening.status == LooseningStatus.UNCONFIRMED


def owner_removed(tx: ProjectTransaction, user: Any) -> None:
    """Who takes another owner away takes away a second word, so it leaves the same mark."""
    if tx.actor.user is None or user == tx.actor.user:
        return
    owners = Membership.objects.filter(project=tx.project, role=Role.OWNER)
    left = sorted(owners.exclude(user=user).values_list("user", flat=True))
    mark(tx, {"owners": {"old": sorted([*left, user.pk]), "new": left}})
