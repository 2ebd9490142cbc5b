"""How a request stands: who has it, how many have approved, and what its clocks will do."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from hitl.enums import OnTimeout
from hitl.models import HitlRequest
from hitl.rules import Verdict, may_break_glass, obstacles, roles_of
from projects.access import DECIDE, role_of
from projects.enums import Role
from projects.models import Membership
from ui.web.templatetags.ui import until

# Each rule as break-glass goes past it, in words.
OBSTACLES = {
    "not_a_member": "you are not a member of the project",
    "role_too_low": "your role does not decide on it",
    "role_not_asked": "your role is not asked",
    "escalated": "only an owner decides now",
    "self_approval": "you wrote of what is decided",
    "claimed": "somebody else has taken it",
    "approvals_missing": "more than one person must approve it",
}


def standing_of(request: HitlRequest, user: Any, verdict: Verdict) -> dict[str, Any]:
    """For the request's page; nothing of it where nobody is asked any more."""
    if not request.is_pending:
        return {"thread": _thread(request), "may_comment": _role(request, user) in DECIDE}
    now, role = timezone.now(), _role(request, user)
    claimant = request.claimant_id(now)
    may_hand_on = role == Role.OWNER or (role in DECIDE and claimant in (None, user.pk))
    return {
        "clock": clock_of(request, now),
        "claimant": claimant and request.claimed_by,
        "may_claim": verdict.allowed and claimant is None,
        "may_release": claimant is not None and may_hand_on,
        "assignees": _deciders(request, now).exclude(user=claimant or user) if may_hand_on else [],
        "deciders": [one.user for one in _deciders(request, now)],
        "missing": _missing(request),
        "break_glass": _past(request, user, now),
        "thread": _thread(request),
        "may_comment": role in DECIDE,
    }


@dataclass(frozen=True)
class Clock:
    """What runs out next: in a word or two for a list, and in a sentence."""

    tone: str
    short: str
    says: str


def clock_of(request: HitlRequest, now: datetime) -> Clock | None:
    """None where nothing runs."""
    if request.escalated_at:
        return Clock("bad", "only owners now", "Nobody decided in time: only an owner decides now.")
    if not (request.expires_at or request.due_at):
        return None
    if request.held_since:
        return Clock("", "clock stands still", "Its clocks stand still while the project does.")
    is_late = request.is_overdue(now)
    tone = "bad" if is_late else "warn"
    return Clock(tone, _in_short(request, is_late), _in_full(request, is_late))


def _in_short(request: HitlRequest, is_late: bool) -> str:
    left = f"{until(request.expires_at)} left" if request.expires_at else ""
    if is_late:
        return f"overdue, {left}" if left else "overdue"
    return left or f"due in {until(request.due_at)}"


def _in_full(request: HitlRequest, is_late: bool) -> str:
    due = f"{'Overdue since' if is_late else 'Due'} {_moment(request.due_at)}."
    if not request.expires_at:
        return f"{due} Nothing ends by itself."
    left, then = until(request.expires_at), OnTimeout(request.on_timeout).label
    ends = f"If nobody decides by {_moment(request.expires_at)}, in {left}: {then}."
    return f"{due} {ends}" if request.due_at else ends


def _moment(moment: datetime | None) -> str:
    return f"{moment:%d %b %Y, %H:%M} UTC" if moment else ""


def _missing(request: HitlRequest) -> str:
    if request.required_approvals == 1:
        return ""
    return f"{request.approvals} of {request.required_approvals} approvals are given."


def _deciders(request: HitlRequest, now: datetime) -> Any:
    asked = Membership.objects.filter(project=request.project_id, role__in=roles_of(request, now))
    settled = [
        *(request.barred_authors or []),
        *request.decisions.values_list("decided_by", flat=True),
    ]
    return asked.exclude(user__in=settled).select_related("user")


def _past(request: HitlRequest, user: Any, now: datetime) -> list[str]:
    """The rules that this person could go past, in words."""
    if not may_break_glass(request, user):
        return []
    return [OBSTACLES[code] for code in obstacles(request, user, now)]


def _thread(request: HitlRequest) -> list[Any]:
    return list(request.comments.select_related("author"))


def _role(request: HitlRequest, user: Any) -> str | None:
    return role_of(user, request.project_id)
