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
    #: By a chat account that was linked while logged in.
    CHAT = "chat", "Linked chat account"


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


class ActionStatus(models.TextChoices):
    """Of what an agent is about to do. Whatever a client does not know means "not approved"."""

    #: A person is asked.
    PENDING = "pending", "Pending"
    #: It may be claimed, once, until its time is over.
    APPROVED = "approved", "Approved"
    DENIED = "denied", "Denied"
    #: A person replied instead; nothing runs.
    ANSWERED = "answered", "Answered"
    #: Nobody decided in time, or nobody claimed it in time.
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"
    #: What it rests on has changed.
    SUPERSEDED = "superseded", "Superseded"
    #: Claimed: it may be happening now.
    EXECUTING = "executing", "Executing"
    SUCCEEDED = "succeeded", "Succeeded"
    #: It was tried and did not succeed; who tried knows how far it came.
    FAILED = "failed", "Failed"
    #: It certainly did not happen.
    NOT_EXECUTED = "not_executed", "Not executed"
    #: Nobody knows whether it happened.
    UNKNOWN = "unknown", "Unknown"


class OnExpiry(models.TextChoices):
    """What becomes of an action that nobody has decided on in time. Never a yes."""

    #: It expires.
    DENY = "deny", "Deny"
    #: It stays pending, and is overdue.
    HOLD = "hold", "Hold"


#: The effect of an action with one of these may have happened, or may be happening.
BLOCKS_EFFECT = (ActionStatus.EXECUTING, ActionStatus.SUCCEEDED, ActionStatus.UNKNOWN)
