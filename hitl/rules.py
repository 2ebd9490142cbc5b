"""Which actions a request allows, and who may take them. Checked again under the lock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from agents.enums import RequestKind
from core.errors import Forbidden, InvalidInput, Unprocessable
from core.text import is_storable
from hitl.actions import Action, registered_actions
from hitl.delegation import Delegation, delegations_to
from hitl.enums import Assurance, OnTimeout
from hitl.facts import facts_for_request
from hitl.models import HitlRequest
from hitl.separation_of_duties import barred_authors
from projects.access import DECIDE, role_of
from projects.enums import Role

COMMENT_MAX_LENGTH = 10_000
# Of what others may decide, who may be away.
NOT_THEIRS = ("role_too_low", "role_not_asked", "escalated", "claimed")
# The caller has not looked the role up.
UNKNOWN_ROLE = "unknown"


@dataclass(frozen=True)
class Verdict:
    """Whether a person may decide, and if not, why and what to do."""

    allowed: bool
    code: str = ""
    detail: str = ""
    #: By which they decide for somebody who is away.
    delegation: Delegation | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"allowed": self.allowed, "code": self.code, "detail": self.detail}


def allowed_actions(request: HitlRequest) -> list[str]:
    """The keys of what can be done about it, in the order in which it is offered."""
    # What was changed past the product cannot be decided, nor may it be read as if it fitted.
    if not request.is_pending or request.found_digest != request.subject_digest:
        return []
    if request.agent_action_id is not None:
        # Of what an agent is about to do: its asker may have narrowed it.
        is_escalation = request.kind == RequestKind.ESCALATION
        allowed = {"answer"} if is_escalation else set(request.agent_action.allowed)
        return [action.key for action in registered_actions() if action.key in allowed]
    return [action.key for action in registered_actions() if action.is_allowed_for(request)]


def can_decide(
    request: HitlRequest,
    user: Any,
    now: datetime | None = None,
    *,
    role: str | None = UNKNOWN_ROLE,
    on_behalf_of: Any = None,
) -> Verdict:
    """Whether this person may decide on this request now. `role`: theirs, where it is known.

    Where they may not themselves, they may for somebody who is away and has named them.
    `on_behalf_of`: for this person, and not as themselves.
    """
    now, role = now or timezone.now(), _role(request, user, role)
    verdict = (
        _by_role(request, role, now)
        or _by_state(request, now)
        or _by_authorship(request, user)
        or _by_own_decision(request, user)
        or _by_claim(request, user, now)
        or Verdict(True)
    )
    if on_behalf_of is None:
        if verdict.code in NOT_THEIRS and role in DECIDE:
            return _as_stand_in(request, user, now) or verdict
        return verdict
    if not verdict.allowed and verdict.code not in NOT_THEIRS:
        return verdict
    detail = "This person has not asked you to decide for them now, or may not decide on this."
    no_delegation = Verdict(False, "no_delegation", detail)
    may_stand_in = role in DECIDE
    return (may_stand_in and _as_stand_in(request, user, now, on_behalf_of)) or no_delegation


def _as_stand_in(
    request: HitlRequest, user: Any, now: datetime, wanted: Any = None
) -> Verdict | None:
    """For the first who is away, or for this one alone."""
    for delegation in delegations_for(request, user, now):
        absent = delegation.delegator
        if wanted is None or absent == wanted:
            until = f"{delegation.ends_at:%Y-%m-%d %H:%M} UTC"
            detail = f"You decide for {absent.get_username()}, who is away until {until}."
            return Verdict(True, "on_behalf_of", detail, delegation)
    return None


def delegations_for(request: HitlRequest, user: Any, now: datetime) -> Iterator[Delegation]:
    """By which they may decide on it for others, by the rules for both.

    Neither wrote of it, and neither has decided on it.
    """
    if not request.is_pending:
        return
    for delegation in delegations_to(user, request.project_id):
        absent = delegation.delegator
        role = role_of(absent, request.project_id)
        if role not in DECIDE:
            continue
        refusal = (
            _by_role(request, role, now)
            or _by_state(request, now)
            or _by_authorship(request, user)
            or _by_authorship(request, absent)
            or _by_own_decision(request, user)
            or _by_own_decision(request, absent)
            or _by_claim(request, user, now, absent)
        )
        if refusal is None:
            yield delegation


def obstacles(
    request: HitlRequest, user: Any, now: datetime, *, role: str | None = UNKNOWN_ROLE
) -> list[str]:
    """The code of every rule that keeps this person from settling it alone."""
    verdicts = [
        _by_role(request, _role(request, user, role), now),
        _by_authorship(request, user),
        _by_claim(request, user, now),
    ]
    codes = [verdict.code for verdict in verdicts if verdict]
    is_short = request.required_approvals > request.approvals + 1
    return [*codes, "approvals_missing"] if is_short else codes


def may_break_glass(request: HitlRequest, user: Any, *, role: str | None = UNKNOWN_ROLE) -> bool:
    """Who may decide past these rules, with a reason: superusers, and the project's owners."""
    return user.is_superuser or _role(request, user, role) == Role.OWNER


def _role(request: HitlRequest, user: Any, role: str | None) -> str | None:
    return role_of(user, request.project_id) if role == UNKNOWN_ROLE else role


def roles_of(request: HitlRequest, now: datetime) -> list[str]:
    """The roles that decide on it at this time."""
    if request.is_timed_out(now) and request.on_timeout == OnTimeout.ESCALATE:
        return [Role.OWNER]
    return sorted(DECIDE) if request.deciding_roles is None else request.deciding_roles


def _by_role(request: HitlRequest, role: str | None, now: datetime) -> Verdict | None:
    if role is None:
        return Verdict(False, "not_a_member", "Only members of the project decide; ask an owner.")
    if role not in DECIDE:
        detail = f"Your role is {role}; only approvers and owners decide."
        return Verdict(False, "role_too_low", detail)
    roles = roles_of(request, now)
    if role in roles or not request.is_pending:
        return None
    if request.escalated_at or request.is_timed_out(now):
        return Verdict(False, "escalated", "Nobody decided in time; only an owner decides now.")
    detail = f"The project's policy asks for {' or '.join(roles)}; your role is {role}."
    return Verdict(False, "role_too_low" if role != Role.OWNER else "role_not_asked", detail)


def _by_state(request: HitlRequest, now: datetime) -> Verdict | None:
    if not request.is_pending:
        return Verdict(False, "already_decided", f"The request is {request.status}.")
    if request.is_timed_out(now) and request.on_timeout != OnTimeout.ESCALATE:
        return Verdict(False, "expired", "The time for this decision has passed.")
    return None


def _by_authorship(request: HitlRequest, user: Any) -> Verdict | None:
    barred = request.barred_authors
    if barred is None:
        barred = barred_authors(facts_for_request(request.task), request.subject)
    if user.pk not in barred:
        return None
    detail = "You wrote part of this, so another approver must decide on it."
    return Verdict(False, "self_approval", detail)


def _by_own_decision(request: HitlRequest, user: Any) -> Verdict | None:
    """One decision a person: whoever approved waits for the others."""
    if not request.approvals or not request.decisions.of_person(user).exists():
        return None
    count = f"{request.approvals} of {request.required_approvals}"
    detail = f"You have approved it; it has {count} approvals."
    return Verdict(False, "already_decided", detail)


def _by_claim(request: HitlRequest, user: Any, now: datetime, absent: Any = None) -> Verdict | None:
    claimant = request.claimant_id(now)
    if claimant is None or claimant == user.pk or (absent and claimant == absent.pk):
        return None
    name = get_user_model().objects.get(pk=claimant).get_username()
    detail = (
        f"{name} has claimed it until {request.claimed_until:%Y-%m-%d %H:%M} UTC. "
        f"{name} or an owner can release or reassign it."
    )
    return Verdict(False, "claimed", detail)


def check_action(request: HitlRequest, action: Action, comment: str, content: Any) -> None:
    """Raises Unprocessable for what the request does not allow or the action lacks.

    Raises InvalidInput where the comment is too long or no text.
    """
    if len(comment) > COMMENT_MAX_LENGTH:
        detail = f"Shorten the comment to at most {COMMENT_MAX_LENGTH:,} characters."
        raise InvalidInput.of("comment", "max_length", detail)
    if not is_storable(comment):
        raise InvalidInput.of("comment", "binary", "The comment is not plain text.")
    allowed = allowed_actions(request)
    if action.key not in allowed:
        detail = (
            f"{action.key} is not possible for a {request.kind}; possible: {', '.join(allowed)}."
        )
        raise Unprocessable("action_not_allowed", detail, allowed_actions=allowed)
    if action.needs_comment and not comment.strip():
        raise comment_required(f"To {action.label.lower()}")
    if action.needs_content and (content is None or content in ("", [], {})):
        raise Unprocessable(
            "content_required",
            f"To {action.label.lower()}, send the {action.content_name} as `content`.",
            errors=[{"field": "content", "code": "required", "detail": "Must not be empty."}],
        )


def check_assurance(request: HitlRequest, assurance: str) -> str:
    """What is noted of how the person was made sure of.

    Raises Forbidden `reauthentication_required`: break-glass does not go past it, for it is about
    who somebody is, not about what they may do.
    """
    if not request.needs_reauthentication:
        # Asked for nothing, so that their login was new is chance.
        is_chance = assurance == Assurance.REAUTHENTICATED
        return Assurance.SESSION if is_chance else assurance
    if assurance == Assurance.REAUTHENTICATED:
        return assurance
    page = reverse("admin:hitl_hitlrequest_change", args=[request.pk])
    detail = (
        f"The project's policy asks for your password again: decide on the page {page}, or give it "
        f"at {reverse('admin:reauthenticate')} and send the decision with that session. A token "
        "or a terminal can't do it."
    )
    raise Forbidden("reauthentication_required", detail, where=page)


def comment_required(why: str) -> Unprocessable:
    return Unprocessable(
        "comment_required",
        f"{why}, say why: fill in `comment`.",
        errors=[{"field": "comment", "code": "required", "detail": "Say why."}],
    )
