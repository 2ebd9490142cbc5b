"""Ask for an action, and take the question back."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import jsonschema
from django.conf import settings

from agents.enums import RequestKind
from audit.actors import Actor
from context.models import ArtifactVersion
from core.errors import Conflict, InvalidInput, NotFound, Unprocessable
from hitl.agent_actions.digests import (
    action_digest,
    call_digest,
    canonical_text,
    subject_of_action,
)
from hitl.digests import digest_of
from hitl.enums import BLOCKS_EFFECT, ActionStatus, OnExpiry, OnTimeout, RequestStatus
from hitl.events import ACTION_CLOSED, ACTION_REQUESTED, REQUEST_CREATED
from hitl.models import AgentAction, HitlRequest, StandingApproval
from hitl.policy import policy_of, roles_for, with_floor
from hitl.services.deadlines import deadlines_by
from hitl.services.locks import database_time
from hitl.services.records import close_request
from projects.credentials import actor_of, lock_usable_credential
from projects.enums import ProjectStatus
from projects.floor import installation_floor
from projects.models import AgentCredential
from projects.transaction import ProjectOf, ProjectTransaction

ARGUMENTS_MAX = 256 * 1024
CONTINUATION_MAX = 1024 * 1024
# What people may decide on an action, where the asker does not narrow it.
USUALLY_ALLOWED = ["approve", "amend", "reject"]
MAY_BE_ALLOWED = ("approve", "amend", "reject", "answer")


def ask_action(
    *, project_id: UUID, credential: AgentCredential, idempotency_key: str, **data: Any
) -> tuple[AgentAction, bool]:
    """Store the complete call and ask about it; whether this call did it.

    The key belongs to the credential and lives as long as the action: the same call again answers
    with the action as it is now.

    Raises NotFound, Forbidden, InvalidInput, Conflict (`project_not_active`, `effect_exists`),
    Unprocessable (`idempotency_key_reused` and what cannot be kept exactly).
    """
    action = _action_of(project_id, credential, idempotency_key, data)
    with ProjectTransaction(project_id, actor_of(credential)) as tx:
        lock_usable_credential(tx, credential)
        same_key = AgentAction.objects.filter(
            credential=credential, idempotency_key=idempotency_key
        ).first()
        if same_key is not None:
            asked = same_key.asked_arguments or same_key.arguments
            if (asked, same_key.tool, same_key.agent.get("name"), same_key.effect) != (
                *(action.arguments, action.tool, action.agent["name"], action.effect),
            ):
                detail = (
                    "This Idempotency-Key was used for another action. Use a new key for a new one."
                )
                raise Unprocessable("idempotency_key_reused", detail, action=str(same_key.pk))
            return same_key, False
        if tx.project.status not in (ProjectStatus.ACTIVE, ProjectStatus.PAUSED):
            detail = f"The project is {tx.project.status}: agents ask in one that is active."
            raise Conflict("project_not_active", detail, project_status=tx.project.status)
        now = database_time()
        if action.expires_at is not None and action.expires_at <= now:
            detail = "Send a time in the future, or leave it out."
            raise InvalidInput.of("expires_at", "in_the_past", detail)
        check_effect_is_free(action)
        _check_based_on(action)
        action.save(force_insert=True)
        tx.record(ACTION_REQUESTED, **facts_of(action), effect=action.effect)
        if (rule := _standing_approval(action, now)) is not None:
            use_standing_approval(tx, action, rule, now)
        else:
            open_action_request(tx, action)
    return action, True


def _action_of(
    project_id: UUID, credential: AgentCredential, idempotency_key: str, data: dict[str, Any]
) -> AgentAction:
    """Not saved."""
    arguments = canonical_text(data["arguments"])
    if len(arguments.encode()) > ARGUMENTS_MAX:
        detail = f"The arguments have more than {ARGUMENTS_MAX // 1024} KiB. Store what is large "
        raise Unprocessable("too_large", detail + "elsewhere, and send its digest.")
    for name in ("edit_schema", "response_schema"):
        check_schema(name, data.get(name))
    allowed = data.get("allowed") or [
        *USUALLY_ALLOWED,
        *(["answer"] if data.get("response_schema") else []),
    ]
    tool, agent, subject = data["tool"], data["agent"], data.get("subject")
    return AgentAction(
        project_id=project_id,
        credential=credential,
        idempotency_key=idempotency_key,
        tool=tool,
        arguments=arguments,
        agent=agent,
        subject=subject,
        action_digest=action_digest(
            project=project_id,
            agent_name=agent["name"],
            subject=subject,
            tool=tool,
            arguments=data["arguments"],
        ),
        call_digest=call_digest(tool, data["arguments"]),
        effect=data.get("effect", ""),
        why=data.get("why", ""),
        hints=data.get("hints") or {},
        # A person can always say no.
        allowed=sorted({*allowed, "reject"}, key=MAY_BE_ALLOWED.index),
        edit_schema=data.get("edit_schema"),
        response_schema=data.get("response_schema"),
        precondition=canonical_text(data["precondition"]) if "precondition" in data else "",
        based_on=[
            {"artifact": str(version["artifact"]), "version": version["version"]}
            for version in data.get("based_on") or []
        ],
        continuation=data.get("continuation", ""),
        on_expiry=data.get("on_expiry", OnExpiry.DENY),
        expires_at=data.get("expires_at"),
    )


def check_schema(field: str, schema: Any) -> None:
    """Raises InvalidInput where it is no JSON Schema that is complete in itself."""
    if schema is None:
        return
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        detail = f"This is no JSON Schema (2020-12): {error.message}."
        raise InvalidInput.of(field, "invalid_schema", detail) from error
    if '"$ref"' in json.dumps(schema) or '"$dynamicRef"' in json.dumps(schema):
        raise InvalidInput.of(field, "reference", "Write the schema out, without `$ref`.")
    if '"pattern' in json.dumps(schema):
        # A pattern can be made to run for hours.
        raise InvalidInput.of(field, "pattern", "Leave `pattern` and `patternProperties` out.")


def facts_of(action: AgentAction) -> dict[str, Any]:
    """For events: names, ids and digests, never arguments."""
    return {
        "action": str(action.pk),
        "tool": action.tool["name"],
        "server": action.tool.get("server", ""),
        "agent": action.agent["name"],
        "action_digest": action.action_digest,
        "credential": str(action.credential_id),
    }


def check_effect_is_free(action: AgentAction) -> None:
    """Raises Conflict `effect_exists`, which names the action that stands in the way."""
    if not action.effect:
        return
    others = AgentAction.objects.filter(
        project=action.project_id, effect=action.effect, status__in=BLOCKS_EFFECT
    )
    if (other := others.exclude(pk=action.pk).first()) is not None:
        states = {
            ActionStatus.EXECUTING: "is being executed",
            ActionStatus.SUCCEEDED: "has happened already",
            ActionStatus.UNKNOWN: "may have happened; a person is asked",
        }
        raise Conflict(
            "effect_exists",
            f"The effect {action.effect} {states[ActionStatus(other.status)]}.",
            action=str(other.pk),
            action_status=other.status,
            reason="effect_exists",
            next_action="none",
        )


def _check_based_on(action: AgentAction) -> None:
    for position, version in enumerate(action.based_on):
        exists = ArtifactVersion.objects.filter(
            artifact=version["artifact"],
            artifact__project=action.project_id,
            number=version["version"],
        ).exists()
        if not exists:
            detail = "There is no such version of an artifact in this project."
            raise InvalidInput.of(f"based_on.{position}", "does_not_exist", detail)


def changed_versions(action: AgentAction) -> list[dict[str, Any]]:
    """Those of `based_on` that have been superseded, each with the newest number."""
    changed = []
    for version in action.based_on:
        newest = (
            ArtifactVersion.objects.filter(
                artifact=version["artifact"], artifact__project=action.project_id
            )
            .order_by("-number")
            .values_list("number", flat=True)
            .first()
        )
        if newest != version["version"]:
            changed.append(version | {"newest": newest})
    return changed


def open_action_request(
    tx: ProjectTransaction,
    action: AgentAction,
    *,
    kind: RequestKind = RequestKind.ACTION_APPROVAL,
    title: str = "",
    previous: HitlRequest | None = None,
    also_barred: tuple[int, ...] = (),
) -> HitlRequest:
    """Ask people about it, by the project's policy as it is now.

    Where self-approval is forbidden, whoever made the credential may not approve what it asks.
    """
    policy = with_floor(policy_of(tx.project.pk), installation_floor())
    barred = {*also_barred} | (
        {action.credential.created_by_id} if policy.prevent_self_approval else set()
    )
    times = deadlines_by(policy)
    if action.expires_at is not None and kind == RequestKind.ACTION_APPROVAL:
        is_held = action.on_expiry == OnExpiry.HOLD
        times |= {
            "on_timeout": OnTimeout.HOLD if is_held else OnTimeout.REJECT,
            "due_at": action.expires_at if is_held else times.get("due_at"),
            "expires_at": None if is_held else action.expires_at,
        }
    if kind == RequestKind.ESCALATION and times["on_timeout"] == OnTimeout.REJECT:
        # Time does not say what happened.
        times |= {"on_timeout": OnTimeout.HOLD, "expires_at": None}
    subject = subject_of_action(action)
    request = HitlRequest.objects.create(
        project=tx.project,
        agent_action=action,
        kind=kind,
        title=(title or f"{action.agent['name']} wants to call {action.tool['name']}")[:300],
        agent_type=action.agent["name"][:20],
        subject=subject,
        subject_digest=digest_of(subject),
        previous=previous,
        required_approvals=(
            1
            if kind == RequestKind.ESCALATION
            else max(policy.required_approvals, policy.floor.approvals(kind))
        ),
        prevents_self_approval=policy.prevent_self_approval,
        needs_reauthentication=kind in policy.reauthenticate,
        barred_authors=sorted(barred) if kind == RequestKind.ACTION_APPROVAL else [],
        deciding_roles=roles_for(policy, kind, ""),
        **times,
    )
    tx.record(
        REQUEST_CREATED,
        request=request,
        kind=request.kind,
        title=request.title,
        step="",
        action=str(action.pk),
        action_digest=action.action_digest,
        subject_digest=request.subject_digest,
        previous=str(previous.pk) if previous else None,
        required_approvals=request.required_approvals,
        due_at=request.due_at.isoformat() if request.due_at else None,
        expires_at=request.expires_at.isoformat() if request.expires_at else None,
    )
    return request


def _standing_approval(action: AgentAction, now: datetime) -> StandingApproval | None:
    """A person's word that covers this very call, if hints do not ask for more care."""
    rules = StandingApproval.objects.select_for_update(no_key=True, of=("self",)).filter(
        project=action.project_id,
        credential=action.credential,
        agent_name=action.agent["name"],
        tool=action.tool,
        expires_at__gt=now,
        revoked_at=None,
    )
    if action.hints.get("destructiveHint"):
        return None
    arguments = json.loads(action.arguments)
    for rule in rules.order_by("created_at"):
        if rule.uses_count < rule.uses_max and jsonschema.Draft202012Validator(
            rule.bounds
        ).is_valid(arguments):
            return rule
    return None


def use_standing_approval(
    tx: ProjectTransaction, action: AgentAction, rule: StandingApproval, now: datetime
) -> None:
    """Recorded as the standing word of the person who gave it."""
    from hitl.agent_actions.decisions import note_decided

    rule.uses_count += 1
    rule.save(update_fields=["uses_count"])
    action.rule, action.decided_at = rule, now
    action.move(ActionStatus.APPROVED)
    action.approved_until = now + approved_for(action)
    action.save(update_fields=["rule", "status", "decided_at", "approved_until"])
    note_decided(tx, action, rule=str(rule.pk), given_by=rule.given_by_id, use=rule.uses_count)


def approved_for(action: AgentAction) -> timedelta:
    return timedelta(seconds=settings.ACTION_APPROVED_SECONDS)


def cancel_action(*, action_id: UUID, credential: AgentCredential, reason: str = "") -> AgentAction:
    """Who asked no longer wants it. Raises NotFound, Conflict `already_claimed`."""
    with ProjectTransaction(
        ProjectOf("action", action_id), actor_of(credential), missing="action"
    ) as tx:
        action = lock_own_action(tx, action_id, credential)
        if action.status == ActionStatus.CANCELLED:
            return action
        if action.status not in (ActionStatus.PENDING, ActionStatus.APPROVED):
            detail = f"The action is {action.status}; nothing can be taken back any more."
            raise Conflict("already_claimed", detail, action_status=action.status)
        close_action(tx, action, ActionStatus.CANCELLED, reason or "taken back by who asked")
    return action


def lock_own_action(
    tx: ProjectTransaction, action_id: UUID, credential: AgentCredential
) -> AgentAction:
    """Raises NotFound, also where another credential asked; Forbidden where it was revoked."""
    lock_usable_credential(tx, credential)
    action = tx.lock(AgentAction, action_id)
    if action.credential_id != credential.pk:
        raise NotFound("not_found", "There is no such action, or you may not see it.")
    action.credential = credential
    return action


def close_action(
    tx: ProjectTransaction,
    action: AgentAction,
    status: ActionStatus,
    reason: str,
    *,
    actor: Actor | None = None,
) -> None:
    """End it, and the request about it, without a decision."""
    request_status = {
        ActionStatus.EXPIRED: RequestStatus.EXPIRED,
        ActionStatus.SUPERSEDED: RequestStatus.SUPERSEDED,
    }.get(status, RequestStatus.CANCELLED)
    for request in action.requests.filter(status=RequestStatus.PENDING):
        request.project = tx.project
        close_request(tx, request, request_status, action=str(action.pk))
    action.move(status)
    action.save(update_fields=["status", "finished_at"])
    tx.record(
        ACTION_CLOSED,
        actor=actor,
        **facts_of(action),
        status=str(status),
        reason=reason[:500],
    )


def close_actions_of_ended_project(tx: ProjectTransaction) -> None:
    """Open questions and permissions end with the project; what is being executed may report."""
    open_states = (ActionStatus.PENDING, ActionStatus.APPROVED)
    actions = AgentAction.objects.filter(project=tx.project, status__in=open_states)
    for action in actions.select_for_update(no_key=True, of=("self",)):
        close_action(tx, action, ActionStatus.CANCELLED, f"the project is {tx.project.status}")
