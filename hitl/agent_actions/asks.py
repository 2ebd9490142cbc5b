"""Ask for an action, and take the question back."""

from typing import Any
from uuid import UUID

from agents.enums import RequestKind
from context.models import Artifact, ArtifactVersion
from core import sql
from core.errors import Conflict, InvalidInput, NotFound, Unprocessable
from hitl.agent_actions.digests import (
    action_digest,
    call_digest,
    canonical_text,
    subject_of_action,
)
from hitl.agent_actions.records import close_action, facts_of
from hitl.agent_actions.schemas import check_schema
from hitl.agent_actions.standing_approvals import find_standing_approval, use_standing_approval
from hitl.digests import digest_of
from hitl.enums import BLOCKS_EFFECT, ActionStatus, OnExpiry, OnTimeout
from hitl.events import ACTION_REQUESTED
from hitl.models import AgentAction, HitlRequest
from hitl.policy import policy_of, roles_for, with_floor
from hitl.services.deadlines import deadlines_by
from hitl.services.locks import database_time
from hitl.services.records import note_created
from projects.credentials import actor_of, lock_usable_credential
from projects.enums import ProjectStatus
from projects.floor import installation_floor
from projects.models import AgentCredential
from projects.transaction import ProjectOf, ProjectTransaction

ARGUMENTS_MAX = 256 * 1024
CONTINUATION_MAX = 1024 * 1024
BASED_ON_MAX = 100
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
    action = action_of_call(project_id, credential, idempotency_key, data)
    with ProjectTransaction(project_id, actor_of(credential)) as tx:
        lock_usable_credential(tx, credential)
        same_key = AgentAction.objects.filter(
            credential=credential, idempotency_key=idempotency_key
        ).first()
        if same_key is not None:
            if _asked(same_key) != _asked(action):
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
        if (rule := find_standing_approval(action, now)) is not None:
            use_standing_approval(tx, action, rule, now)
        else:
            open_action_request(tx, action)
    return action, True


def _asked(action: AgentAction) -> tuple[Any, ...]:
    """What the same key means the same by; run and call of the agent differ after a restart."""
    arguments = action.asked_arguments or action.arguments
    return arguments, action.tool, action.agent.get("name"), action.subject, action.effect


def action_of_call(
    project_id: UUID,
    credential: AgentCredential | None,
    idempotency_key: str,
    data: dict[str, Any],
) -> AgentAction:
    """Not saved. Raises Unprocessable for what cannot be kept exactly."""
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
    if not action.based_on:
        return
    versions = ArtifactVersion.objects.filter(
        artifact__in=_artifacts_of(action), artifact__project=action.project_id
    )
    existing = {
        (str(artifact), number) for artifact, number in versions.values_list("artifact", "number")
    }
    for position, version in enumerate(action.based_on):
        if (version["artifact"], version["version"]) not in existing:
            detail = "There is no such version of an artifact in this project."
            raise InvalidInput.of(f"based_on.{position}", "does_not_exist", detail)


def changed_versions(action: AgentAction) -> list[dict[str, Any]]:
    """Those of `based_on` that have been superseded, each with the newest number."""
    if not action.based_on:
        return []
    artifacts = Artifact.objects.filter(pk__in=_artifacts_of(action), project=action.project_id)
    newest = {str(pk): number for pk, number in artifacts.values_list("pk", "version")}
    return [
        version | {"newest": newest.get(version["artifact"])}
        for version in action.based_on
        if newest.get(version["artifact"]) != version["version"]
    ]


def _artifacts_of(action: AgentAction) -> set[str]:
    return {version["artifact"] for version in action.based_on}


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
    barred = {*also_barred}
    if policy.prevent_self_approval and action.credential is not None:
        barred.add(action.credential.created_by_id)
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
        deciding_roles=roles_for(policy, kind, action.task.phase if action.task else ""),
        **times,
    )
    note_created(tx, request, action=str(action.pk), action_digest=action.action_digest)
    return request


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


def close_actions_of_ended_project(tx: ProjectTransaction) -> None:
    """Open questions and permissions end with the project; what is being executed may report."""
    if not sql.execute("has_open_actions", project=tx.project.pk):
        return
    open_states = (ActionStatus.PENDING, ActionStatus.APPROVED)
    actions = AgentAction.objects.filter(project=tx.project, status__in=open_states)
    for action in actions.select_for_update(no_key=True, of=("self",)):
        close_action(tx, action, ActionStatus.CANCELLED, f"the project is {tx.project.status}")
