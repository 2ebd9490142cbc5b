"""Whether the words of people that let an action go on are enough by the rules as they are now."""

from collections.abc import Collection
from typing import Any

from agents.enums import RequestKind
from hitl.enums import RequestStatus
from hitl.models import AgentAction, Policy, StandingApproval
from hitl.policy import policy_of, roles_for, with_floor
from projects.access import DECIDE, role_of
from projects.floor import installation_floor

KIND = RequestKind.ACTION_APPROVAL
LETS_GO_ON = (RequestStatus.APPROVED, RequestStatus.AMENDED)


def why_not_enough(action: AgentAction) -> str:
    """Of an approved action; '' where its approval holds.

    Who has left the project since did decide as a member. A decision against the rules was made
    with open eyes, and holds, too.
    """
    if action.rule is not None:
        return why_not_covered(action, action.rule, current_policy(action))
    requests = action.requests.filter(kind=KIND, status__in=LETS_GO_ON)
    request = requests.order_by("created_at").last()
    if request is None:
        return ""
    decisions = request.decisions.filter(action__in=("approve", "amend"))
    decisions = list(decisions.select_related("decided_by", "on_behalf_of"))
    if any(decision.is_break_glass for decision in decisions):
        return ""
    people = [decision.decided_by for decision in decisions]
    stood_for = [decision.on_behalf_of for decision in decisions if decision.on_behalf_of]
    policy = current_policy(action)
    roles = {person: role_of(person, action.project_id) for person in people}
    still_here = {person: role for person, role in roles.items() if role is not None}
    return _why_too_few(policy, len(people)) or _why_not_these(
        action, policy, still_here, [*people, *stood_for]
    )


def why_not_covered(action: AgentAction, rule: StandingApproval, policy: Policy) -> str:
    """A standing approval is the word of one member, as long as they are one."""
    person = rule.given_by
    roles = {person: role_of(person, action.project_id) if person.is_active else None}
    return _why_too_few(policy, 1) or _why_not_these(action, policy, roles, [person])


def current_policy(action: AgentAction) -> Policy:
    return with_floor(policy_of(action.project_id), installation_floor())


def _why_too_few(policy: Policy, approvals: int) -> str:
    required = max(policy.required_approvals, policy.floor.approvals(KIND))
    if approvals >= required:
        return ""
    return f"By now {required} people have to approve such a call, and it has {approvals}."


def _why_not_these(
    action: AgentAction, policy: Policy, roles: dict[Any, str | None], people: Collection[Any]
) -> str:
    maker = action.credential.created_by_id if action.credential else None
    if policy.prevent_self_approval and maker in {person.pk for person in people}:
        return "By now whoever made the credential may not approve what it asks."
    allowed = roles_for(policy, KIND, action.task.phase if action.task else "") or DECIDE
    for person, role in roles.items():
        if role not in allowed:
            return f"By now {person.get_username()} may not approve such a call."
    return ""
