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


class Assurance(models.TextChoices):
    """What made sure that a decision is by the person whose name it bears."""

    #: Logged in to the pages.
    SESSION = "session", "Logged in"
    #: By a token, so by whoever holds it.
    TOKEN = "token", "Token"
    #: Gave the password, or logged in, a moment before.
    REAUTHENTICATED = "reauthenticated", "Password asked again"
    #: On a terminal with access to the database.
    TERMINAL = "terminal", "Terminal"


class LooseningStatus(models.TextChoices):
    """Of a change that makes a policy less strict."""

    #: Waits for another owner.
    PROPOSED = "proposed", "Proposed"
    #: Another owner agreed; it holds.
    CONFIRMED = "confirmed", "Confirmed"
    DECLINED = "declined", "Declined"
    #: A newer proposal took its place, or the policy changed meanwhile.
    SUPERSEDED = "superseded", "Superseded"
    #: There was no other owner, so it holds on one person's word, and stays marked.
    UNCONFIRMED = "unconfirmed", "Not confirmed"


class OnTimeout(models.TextChoices):
    """What happens when nobody has decided in time. Time never says yes."""

    #: It stays pending, and is overdue.
    HOLD = "hold", "Hold"
    #: It expires, and the project stops.
    REJECT = "reject", "Reject"
    #: From then on only an owner decides.
    ESCALATE = "escalate", "Escalate"
