from copy import copy
from itertools import product
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.enums import RequestKind
from agents.tool import tools
from audit.actors import Actor
from core.errors import InvalidInput, Unprocessable
from hitl.enums import LooseningStatus, OnTimeout
from hitl.events import POLICY_CHANGED
from hitl.models import APPROVALS_MAX, HitlRequest, Policy
from hitl.policy import TIMES, as_dict, loosened, policy_of, roles_for
from hitl.services.loosenings import loosen
from projects.access import DECIDE, MANAGE
from projects.enums import Phase
from projects.floor import below_floor, installation_floor
from projects.models import Membership
from projects.transaction import ProjectTransaction

SECONDS_MAX = 10 * 365 * 24 * 3600
# What decides on how many people there must be.
DECIDERS = {"required_approvals", "roles_by_kind", "roles_by_phase"}
KEYS = {"roles_by_kind": RequestKind.values, "roles_by_phase": Phase.values}


def change_policy(*, project_id: UUID, actor: Actor, **changes: Any) -> Policy:
    """How requests that are opened from now on are decided.

    What is less strict than before waits for another owner where there is one: `policy.awaits` is
    the proposal then. Raises NotFound, Forbidden, InvalidInput, Unprocessable (`below_floor`,
    `not_enough_deciders`).
    """
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        check_floor(changes)
        policy = policy_of(project_id)
        old = as_dict(policy)
        changes = {name: new for name, new in changes.items() if old[name] != new}
        if not changes:
            return policy
        wanted = copy(policy)
        for name, new in changes.items():
            setattr(wanted, name, new)
        check_policy(wanted)
        if DECIDERS & set(changes):
            check_deciders(wanted)
        awaits = None
        if looser := loosened(policy, wanted):
            fields = {name: {"old": old[name], "new": changes[name]} for name in looser}
            loosening = loosen(tx, fields)
            if loosening.status == LooseningStatus.PROPOSED:
                awaits = loosening
                changes = {name: new for name, new in changes.items() if name not in looser}
        if changes:
            apply_policy(tx, policy, changes)
        policy.awaits = awaits
    return policy


def apply_policy(tx: ProjectTransaction, policy: Policy, changes: dict[str, Any]) -> None:
    """These hold from now on; nothing is asked any more. Raises InvalidInput."""
    old = as_dict(policy)
    for name, new in changes.items():
        setattr(policy, name, new)
    check_policy(policy)
    policy.updated_at = timezone.now()
    policy.save()
    fields = {name: {"old": old[name], "new": new} for name, new in changes.items()}
    tx.record(POLICY_CHANGED, changed=sorted(changes), fields=fields, policy=as_dict(policy))


def check_floor(changes: dict[str, Any]) -> None:
    """Raises Unprocessable `below_floor`, which names the field."""
    floor = installation_floor()
    least = floor.most_approvals
    if changes.get("required_approvals", least) < least:
        kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(floor.required_approvals.items()))
        detail = f"This installation asks for at least {least} approvals ({kinds})."
        raise below_floor("required_approvals", detail)
    if floor.prevent_self_approval and not changes.get("prevent_self_approval", True):
        detail = "In this installation authors never decide on their own work; leave this on."
        raise below_floor("prevent_self_approval", detail)


def check_deciders(policy: Policy) -> None:
    """Whether as many people as the policy asks for may decide, on every kind of request.

    Raises Unprocessable `not_enough_deciders`, which names them and how many are missing.
    """
    floor = installation_floor()
    members = Membership.objects.filter(project=policy.project_id, user__is_active=True)
    people = list(members.filter(role__in=DECIDE).values_list("user", "user__username", "role"))
    barred: set[int] = set()
    if policy.prevent_self_approval or floor.prevent_self_approval:
        pending = HitlRequest.objects.pending().filter(project=policy.project_id)
        for authors in pending.values_list("barred_authors", flat=True):
            barred.update(authors or ())
    for kind, phase in product(RequestKind.values, ("", *Phase.values)):
        # An answer is one person's.
        is_answer = kind == RequestKind.CLARIFICATION
        needed = 1 if is_answer else max(policy.required_approvals, floor.approvals(kind))
        roles = roles_for(policy, kind, phase) or DECIDE
        excluded = set() if is_answer or needed == 1 else barred
        names = [name for pk, name, role in people if role in roles and pk not in excluded]
        if (missing := needed - len(names)) <= 0:
            continue
        authors = [name for pk, name, role in people if role in roles and pk in excluded]
        about = f"{kind} in the phase {phase}" if phase else kind
        detail = (
            f"{needed} must approve ({about}), and {len(names)} may decide: "
            f"{', '.join(names) or 'nobody'}. Add {missing} more with the role "
            f"{' or '.join(sorted(roles))}, or ask for fewer approvals."
        )
        if authors:
            detail += f" Not counted, for they wrote of what waits now: {', '.join(authors)}."
        error = {"field": "required_approvals", "code": "not_enough_deciders", "detail": detail}
        raise Unprocessable(
            "not_enough_deciders", detail, errors=[error], deciders=names, missing=missing
        )


def check_policy(policy: Policy) -> None:
    """Raises InvalidInput, which names the field."""
    if not 1 <= policy.required_approvals <= APPROVALS_MAX:
        detail = f"Ask for 1 to {APPROVALS_MAX} approvals."
        raise InvalidInput.of("required_approvals", "out_of_range", detail)
    if policy.on_timeout not in OnTimeout.values:
        detail = f"Use one of {', '.join(OnTimeout.values)}."
        raise InvalidInput.of("on_timeout", "invalid_choice", detail)
    if unknown := sorted(set(policy.reauthenticate) - set(RequestKind.values)):
        detail = f"{unknown[0]} is no kind of request. Use {', '.join(RequestKind.values)}."
        raise InvalidInput.of("reauthenticate", "invalid_choice", detail)
    if unknown := sorted(set(policy.ask_before_tools) - set(tools.values)):
        detail = f"There is no tool {unknown[0]!r}. Use {', '.join(tools.values)}."
        raise InvalidInput.of("ask_before_tools", "invalid_choice", detail)
    # Times in the order in which they come, without those that are never.
    before = 0
    for name in TIMES:
        seconds = getattr(policy, name)
        if seconds is None:
            continue
        if not 1 <= seconds <= SECONDS_MAX:
            detail = f"Seconds from 1 to {SECONDS_MAX:,}, or null for never."
            raise InvalidInput.of(name, "out_of_range", detail)
        if seconds < before:
            detail = "Keep the order: remind_after, then due_after, then expire_after."
            raise InvalidInput.of(name, "out_of_order", detail)
        before = seconds
    for name, keys in KEYS.items():
        for key, roles in getattr(policy, name).items():
            if key not in keys:
                detail = f"Use one of {', '.join(keys)}."
                raise InvalidInput.of(f"{name}.{key}", "invalid_choice", detail)
            if not roles or not set(roles) <= DECIDE:
                detail = f"Name at least one of {', '.join(sorted(DECIDE))}; viewers can't decide."
                raise InvalidInput.of(f"{name}.{key}", "invalid_choice", detail)
