from uuid import UUID

from django.utils import timezone

from audit.actors import Actor
from hitl.events import STANDING_APPROVAL_REVOKED
from hitl.models import StandingApproval
from projects.access import DECIDE
from projects.transaction import ProjectTransaction


def revoke_standing_approval(*, project_id: UUID, actor: Actor, rule_id: UUID) -> StandingApproval:
    """From now on a person is asked again. Idempotent. Raises NotFound, Forbidden."""
    with ProjectTransaction(project_id, actor, require=DECIDE) as tx:
        rule = tx.lock(StandingApproval, rule_id)
        if rule.revoked_at is None:
            rule.revoked_at = timezone.now()
            rule.save(update_fields=["revoked_at"])
            tx.record(STANDING_APPROVAL_REVOKED, rule=str(rule.pk), used=rule.uses_count)
    return rule
