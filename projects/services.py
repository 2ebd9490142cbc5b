import hashlib
from collections.abc import Callable
from typing import Any
from uuid import UUID

from audit.actors import Actor
from audit.event_types import EventType
from core.errors import Conflict, InvalidInput, NotFound
from core.text import is_storable
from projects import hooks
from projects.access import MANAGE
from projects.enums import NO_WORKFLOW, OversightLevel, ProjectStatus, Role
from projects.events import (
    MEMBER_ADDED,
    MEMBER_REMOVED,
    PROJECT_CANCELLED,
    PROJECT_COMPLETED,
    PROJECT_CREATED,
    PROJECT_FAILED,
    PROJECT_PAUSED,
    PROJECT_RESUMED,
    PROJECT_STARTED,
    PROJECT_UPDATED,
)
from projects.floor import check_oversight
from projects.groups import bring_in_line
from projects.models import BRIEF_MAX_LENGTH, Membership, Project
from projects.quotas import check_project_quotas
from projects.transaction import ProjectTransaction

# The same for a user that there is and one that there is not.
NO_SUCH_MEMBER = "This user is not a member of the project."
# What an owner sets, as the log has it from the beginning.
RULES = (
    *("auto_start", "agent_models", "budget_micros", "budget_soft_micros", "budget_day_micros"),
    "agent_budgets_micros",
)
STATE = ["status", "status_reason", "started_at", "finished_at", "updated_at"]


def create_project(
    *,
    actor: Actor,
    name: str,
    brief: str,
    workflow: str = "sdlc",
    oversight_level: str = OversightLevel.HIGH,
    auto_start: bool = True,
    agent_models: dict[str, str] | None = None,
    **budgets: Any,
) -> Project:
    """A new project with the actor as owner, started by default. Raises InvalidInput, Conflict."""
    _check_text(name=name, brief=brief)
    hooks.run("workflow_chosen", workflow)
    check_oversight(oversight_level)
    project = Project(
        name=name.strip(),
        brief=brief,
        workflow=workflow,
        oversight_level=OversightLevel(oversight_level),
        auto_start=auto_start,
        agent_models=agent_models or {},
        created_by=actor.user,
        **budgets,
    )
    _check_budgets(project, budgets)
    hooks.run("agent_models_chosen", project, project.agent_models)
    if auto_start:
        project.start()
    with ProjectTransaction.creating(project, actor) as tx:
        check_project_quotas(project)
        Membership.objects.create(project=project, user=actor.user, role=Role.OWNER)
        hooks.run("created", tx)
        tx.record(
            PROJECT_CREATED,
            name=project.name,
            workflow=workflow,
            oversight_level=str(oversight_level),
            brief_sha256=_sha256(project.brief),
            **{field: getattr(project, field) for field in RULES},
        )
        if auto_start:
            tx.record(PROJECT_STARTED, old=ProjectStatus.DRAFT, new=ProjectStatus.ACTIVE)
            tx.request_advance()
    return tx.project


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _check_text(*, name: str, brief: str) -> None:
    if not name.strip() or len(name) > 200:
        raise InvalidInput.of("name", "invalid", "Give the project a name of 1 to 200 characters.")
    if not brief.strip():
        raise InvalidInput.of("brief", "blank", "Write a brief: what is to be built, and for whom.")
    if len(brief) > BRIEF_MAX_LENGTH:
        detail = (
            f"The brief has {len(brief):,} characters; shorten it to at most {BRIEF_MAX_LENGTH:,}."
        )
        raise InvalidInput.of("brief", "max_length", detail)
    for field, text in (("name", name), ("brief", brief)):
        if not is_storable(text):
            detail = f"The {field} is not plain text. Send it as UTF-8, without null characters."
            raise InvalidInput.of(field, "binary", detail)


def update_project(*, project_id: UUID, actor: Actor, **changes: Any) -> Project:
    """Change name, oversight level, budgets or, before the start, brief and workflow.

    Less oversight of a project that was started may wait for another owner: `project.awaits` is
    the proposal then. Raises Conflict, InvalidInput, Unprocessable (`below_floor`).
    """
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        project = tx.project
        if "oversight_level" in changes:
            check_oversight(changes["oversight_level"])
        changes = {field: new for field, new in changes.items() if getattr(project, field) != new}
        if not changes:
            return project
        fixed = {"brief", "workflow"} & set(changes)
        if project.status != ProjectStatus.DRAFT and fixed:
            raise Conflict(
                "invalid_transition",
                f"{' and '.join(sorted(fixed))} cannot change after the start. "
                "Add a `user_input` artifact and rewind, or create a new project.",
            )
        name, brief = changes.get("name", project.name), changes.get("brief", project.brief)
        _check_text(name=name, brief=brief)
        _check_budgets(project, changes)
        hooks.run("agent_models_chosen", project, changes.get("agent_models", {}))
        hooks.run("workflow_chosen", changes.get("workflow", project.workflow))
        level = changes.get("oversight_level")
        if level is not None and project.status != ProjectStatus.DRAFT:
            if not all(hooks.run("oversight_changed", tx, level)):
                del changes["oversight_level"]
            if not changes:
                return project
        fields = {
            field: {"old": getattr(project, field), "new": new}
            for field, new in changes.items()
            if field != "brief"
        }
        for field, new in changes.items():
            setattr(project, field, new)
        project.save(update_fields=[*changes, "updated_at"])
        facts = {"brief_sha256": _sha256(project.brief)} if "brief" in changes else {}
        tx.record(PROJECT_UPDATED, changed=sorted(changes), fields=fields, **facts)
        tx.request_advance()
    return tx.project


def set_oversight(tx: ProjectTransaction, level: str) -> None:
    """With the word of whoever has to agree."""
    fields = {"oversight_level": {"old": tx.project.oversight_level, "new": level}}
    tx.project.oversight_level = level
    tx.project.save(update_fields=["oversight_level", "updated_at"])
    tx.record(PROJECT_UPDATED, changed=["oversight_level"], fields=fields)
    tx.request_advance()


def _check_budgets(project: Project, changes: dict[str, Any]) -> None:
    soft = changes.get("budget_soft_micros", project.budget_soft_micros)
    hard = changes.get("budget_micros", project.budget_micros)
    if soft is not None and hard is not None and soft > hard:
        detail = f"The soft limit may be at most the budget, {hard} micro-units."
        raise InvalidInput.of("budget_soft_micros", "max_value", detail)


def raise_soft_limit(tx: ProjectTransaction, micros: int) -> None:
    """With the word of the person who was asked. Never above the hard limit, nor lower than now."""
    project = tx.project
    old, hard = project.budget_soft_micros, project.budget_micros
    raised = micros if hard is None else min(micros, hard)
    if old is None or raised <= old:
        return
    project.budget_soft_micros = raised
    project.save(update_fields=["budget_soft_micros", "updated_at"])
    fields = {"budget_soft_micros": {"old": old, "new": raised}}
    tx.record(PROJECT_UPDATED, changed=["budget_soft_micros"], fields=fields)


def start_project(*, project_id: UUID, actor: Actor) -> Project:
    """Raises Conflict unless the project is a draft."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        change_status(tx, tx.project.start, PROJECT_STARTED)
    return tx.project


def pause_project(*, project_id: UUID, actor: Actor) -> Project:
    """Nothing new starts until resumed; what is running may finish. Raises Conflict."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        change_status(tx, tx.project.pause, PROJECT_PAUSED)
    return tx.project


def resume_project(*, project_id: UUID, actor: Actor) -> Project:
    """Raises Conflict unless the project is paused."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        change_status(tx, tx.project.resume, PROJECT_RESUMED)
    return tx.project


def cancel_project(*, project_id: UUID, actor: Actor, reason: str = "") -> Project:
    """Final. Work that is under way and open requests end with it. Raises Conflict."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        cancel = lambda: tx.project.cancel(reason)  # noqa: E731 - one verb, with its reason
        change_status(tx, cancel, PROJECT_CANCELLED, reason=reason)
    return tx.project


def finish_project(*, project_id: UUID, actor: Actor) -> Project:
    """An owner says that nothing more will be asked in a project without a workflow.

    Raises Conflict where a workflow decides, or the state does not allow it.
    """
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        if tx.project.workflow != NO_WORKFLOW:
            detail = "A project with a workflow completes with its last step; cancel it instead."
            raise Conflict("invalid_transition", detail, project_status=tx.project.status)
        complete_project(tx)
    return tx.project


def complete_project(tx: ProjectTransaction) -> None:
    """For the engine: every step is done. Raises Conflict."""
    change_status(tx, tx.project.complete, PROJECT_COMPLETED)


def fail_project(tx: ProjectTransaction, reason: str) -> None:
    """The project stops, with the reason; a rewind can take it up again. Raises Conflict."""
    change_status(tx, lambda: tx.project.fail(reason), PROJECT_FAILED, reason=reason)


def change_status(
    tx: ProjectTransaction, verb: Callable[[], None], event_type: EventType, *, reason: str = ""
) -> None:
    """Apply a verb of the project, record it, and update all that depends on its status."""
    project = tx.project
    old = str(project.status)
    verb()
    project.save(update_fields=STATE)
    if project.status == ProjectStatus.ACTIVE:
        check_project_quotas(project)
    if project.finished_at is not None:
        hooks.run("ended", tx)
    data = {"reason": reason} if reason else {}
    tx.record(event_type, old=old, new=str(project.status), **data)
    hooks.run("status_changed", tx)
    tx.request_advance()


def reopen_project(tx: ProjectTransaction) -> None:
    """For a rewind, which records it: a finished project goes on. Raises Conflict."""
    was_active = tx.project.status == ProjectStatus.ACTIVE
    tx.project.rewind()
    tx.project.save(update_fields=STATE)
    if tx.project.status == ProjectStatus.ACTIVE and not was_active:
        check_project_quotas(tx.project)
    hooks.run("status_changed", tx)
    tx.request_advance()


def add_member(*, project_id: UUID, actor: Actor, user: Any, role: str) -> Membership:
    """Add a member, or change a role. Raises Conflict if the last owner would step down."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        existing = Membership.objects.filter(project=tx.project, user=user).first()
        if existing and existing.role == role and existing.group_id is None:
            return existing
        if existing and existing.role == Role.OWNER:
            _check_not_last_owner(tx.project, user)
            hooks.run("owner_removed", tx, user)
        member, _ = Membership.objects.update_or_create(
            project=tx.project, user=user, defaults={"role": Role(role), "group": None}
        )
        data = {"user": user.pk, "username": user.get_username(), "role": role}
        if existing:
            data["old_role"] = existing.role
        tx.record(MEMBER_ADDED, **data)
    return member


def remove_member(*, project_id: UUID, actor: Actor, user_id: int) -> None:
    """Raises NotFound if the user is not a member, Conflict for the last owner.

    Raises Conflict `member_by_group` for who is one by a group.
    """
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        members = Membership.objects.filter(project=tx.project, user=user_id)
        member = members.select_related("user").first()
        if member is None:
            raise NotFound("not_found", NO_SUCH_MEMBER)
        if member.group_id is not None:
            detail = (
                "They are a member by a group. Remove the group, or let an operator take them out."
            )
            raise Conflict("member_by_group", detail)
        if member.role == Role.OWNER:
            _check_not_last_owner(tx.project, member.user)
            hooks.run("owner_removed", tx, member.user)
        username, role = member.user.get_username(), member.role
        member.delete()
        tx.record(MEMBER_REMOVED, user=user_id, username=username, role=role)
        # They may still be one by a group.
        bring_in_line(tx)


def _check_not_last_owner(project: Project, user: Any) -> None:
    others = project.memberships.filter(role=Role.OWNER).exclude(user=user)
    if not others.exists():
        raise Conflict("last_owner", "A project needs an owner: make another member owner first.")
