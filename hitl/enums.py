from django.db import models


class RequestKind(models.TextChoices):
    PLAN_APPROVAL = "plan_approval", "may the work follow this plan"
    RESULT_APPROVAL = "result_approval", "may the work go on with this result"
    CLARIFICATION = "clarification", "an agent has questions"
    ESCALATION = "escalation", "an agent cannot go on by itself"


class RequestStatus(models.TextChoices):
    PENDING = "pending", "a person is asked"
    APPROVED = "approved"
    REJECTED = "rejected"
    AMENDED = "amended", "a person wrote the content that goes on"
    CHANGES_REQUESTED = "changes_requested"
    ANSWERED = "answered"
    EXPIRED = "expired", "its time passed; nobody decided"
    SUPERSEDED = "superseded", "what it showed is no longer what would go on"
    CANCELLED = "cancelled", "its project or task stopped"


class OnTimeout(models.TextChoices):
    """What happens when nobody has decided in time. Time never says yes."""

    HOLD = "hold", "it stays pending, and is overdue"
    REJECT = "reject", "it expires, and the project stops"
    ESCALATE = "escalate", "from then on only an owner decides"
