from django.db import models


class RequestStatus(models.TextChoices):
    #: A person is asked.
    PENDING = "pending", "Pending"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    #: A person wrote the content that goes on.
    AMENDED = "amended", "Amended"
    CHANGES_REQUESTED = "changes_requested", "Changes requested"
    ANSWERED = "answered", "Answered"
    #: Its time passed; nobody decided.
    EXPIRED = "expired", "Expired"
    #: What it showed is no longer what would go on.
    SUPERSEDED = "superseded", "Superseded"
    #: Its project or task stopped.
    CANCELLED = "cancelled", "Cancelled"


class OnTimeout(models.TextChoices):
    """What happens when nobody has decided in time. Time never says yes."""

    #: It stays pending, and is overdue.
    HOLD = "hold", "Hold"
    #: It expires, and the project stops.
    REJECT = "reject", "Reject"
    #: From then on only an owner decides.
    ESCALATE = "escalate", "Escalate"
