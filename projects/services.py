from typing import Any
from uuid import UUID

from django.db import transaction

from audit.actors import Actor
from audit.enums import EventType
from audit.services import record
from core.errors import Conflict, InvalidInput, NotFound
from core.sql import prepared_cursor
from core.text import is_storable
from projects.access import MANAGE, authorize
from projects.enums import OversightLevel, ProjectStatus, Role
from projects.models import BRIEF_MAX_LENGTH, Membership, Project
from projects.signals import (
    project_changed,
    project_created,
    project_stopped,
    workflow_chosen,
)

ASK_FOR_ATTENTION = "UPDATE projects SET attention_since = clock_timestamp() WHERE id = %s"
STATE = ["status", "status_reason", "started_at", "finished_at", "updated_at"]


def lock_project(project_id: UUID) -> Project:
    """First in every transaction that changes something within a project.

    Raises NotFound, and Conflict `erased` for what is only a tombstone.
    """
    project = Project.objects.lock().filter(pk=project_id).first()
    if project is None:
        raise NotFound("not_found", "There is no such project.")
    if project.erased_at is not None:
        raise Conflict("erased", "This project was erased; nothing of it can change any more.")
    return project


@transaction.atomic
def create_project(
    *,
    actor: Actor,
    name: str,
    brief: str,
    workflow: str = "sdlc",
    oversight_level: str = OversightLevel.HIGH,
    auto_start: bool = True,
) -> Project:
    """A new project with the actor as owner, started unless told not to. Raises InvalidInput."""
    _check_text(name=name, brief=brief)
    project = Project.objects.create(
        name=name.strip(),
        brief=brief,
        workflow=workflow,
        oversight_level=OversightLevel(oversight_level),
        auto_start=auto_start,
        created_by=actor.user,
    )
    workflow_chosen.send(Project, project=project)
    Membership.objects.create(project=project, user=actor.user, role=Role.OWNER)
    data = {"name": project.name, "workflow": workflow, "oversight_level": str(oversight_level)}
    record(project_id=project.pk, event_type=EventType.PROJECT_CREATED, actor=actor, data=data)
    project_created.send(Project, project=project)
    return start_project(project_id=project.pk, actor=actor) if auto_start else project


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
            raise InvalidInput.of(
                field, "binary", f"The {field} is no plain text. Send it as UTF-8, without zeros."
            )


@transaction.atomic
def update_project(*, project_id: UUID, actor: Actor, **changes: Any) -> Project:
    """Change name, oversight level or, before the start, brief and workflow.

    Raises Conflict, InvalidInput.
    """
    project = lock_project(project_id)
    authorize(actor, project_id, MANAGE)
    changes = {field: new for field, new in changes.items() if getattr(project, field) != new}
    if not changes:
        return project
    if project.status != ProjectStatus.DRAFT and (fixed := {"brief", "workflow"} & set(changes)):
        raise Conflict(
            "invalid_transition",
            f"{' and '.join(sorted(fixed))} cannot change after the start: work rests on it. "
            "Add a `user_input` artifact and rewind, or create a new project.",
        )
    _check_text(name=changes.get("name", project.name), brief=changes.get("brief", project.brief))
    shown = {
        field: {"old": getattr(project, field), "new": new}
        for field, new in changes.items()
        if field != "brief"
    }
    for field, new in changes.items():
        setattr(project, field, new)
    workflow_chosen.send(Project, project=project)
    project.save(update_fields=[*changes, "updated_at"])
    record(
        project_id=project.pk,
        event_type=EventType.PROJECT_UPDATED,
        actor=actor,
        data={"changed": sorted(changes), "fields": shown},
    )
    project_changed.send(Project, project=project)
    return project


def start_project(*, project_id: UUID, actor: Actor) -> Project:
    """Raises Conflict unless the project is a draft."""
    return _move(project_id, actor, "start", EventType.PROJECT_STARTED)


def pause_project(*, project_id: UUID, actor: Actor) -> Project:
    """Nothing new starts until resumed; what is running may finish. Raises Conflict."""
    return _move(project_id, actor, "pause", EventType.PROJECT_PAUSED)


def resume_project(*, project_id: UUID, actor: Actor) -> Project:
    """Raises Conflict unless the project is paused."""
    return _move(project_id, actor, "resume", EventType.PROJECT_RESUMED)


def complete_project(*, project_id: UUID, actor: Actor) -> Project:
    """The engine's verb: every step is done. Raises Conflict."""
    return _move(project_id, actor, "complete", EventType.PROJECT_COMPLETED)


def cancel_project(*, project_id: UUID, actor: Actor, reason: str = "") -> Project:
    """Final. Work that is under way and open requests end with it. Raises Conflict."""
    return _move(project_id, actor, "cancel", EventType.PROJECT_CANCELLED, reason)


def fail_project(*, project_id: UUID, actor: Actor, reason: str) -> Project:
    """The project stops, with the reason; a rewind can take it up again. Raises Conflict."""
    return _move(project_id, actor, "fail", EventType.PROJECT_FAILED, reason)


@transaction.atomic
def reopen_project(*, project_id: UUID, actor: Actor) -> Project:
    """For a rewind, which records it: what has ended goes on. Raises Conflict, Forbidden."""
    project = lock_project(project_id)
    authorize(actor, project_id, MANAGE)
    project.rewind()
    project.save(update_fields=STATE)
    project_changed.send(Project, project=project)
    return project


def ask_for_attention(project_id: UUID) -> None:
    """The engine has to look at the project. The caller holds its lock."""
    with prepared_cursor() as cursor:
        cursor.execute(ASK_FOR_ATTENTION, [project_id])


@transaction.atomic
def _move(
    project_id: UUID, actor: Actor, verb: str, event_type: EventType, reason: str | None = None
) -> Project:
    project = lock_project(project_id)
    authorize(actor, project_id, MANAGE)
    old = project.status
    getattr(project, verb)(*([] if reason is None else [reason]))
    project.save(update_fields=STATE)
    if project.finished_at is not None:
        project_stopped.send(Project, project=project, actor=actor)
    data = {"old": old, "new": str(project.status)} | ({"reason": reason} if reason else {})
    record(project_id=project.pk, event_type=event_type, actor=actor, data=data)
    project_changed.send(Project, project=project)
    return project


@transaction.atomic
def add_member(*, project_id: UUID, actor: Actor, user: Any, role: str) -> Membership:
    """Add a member, or change a role. Raises Conflict for the last owner's own step down."""
    project = lock_project(project_id)
    authorize(actor, project_id, MANAGE)
    existing = Membership.objects.filter(project=project, user=user).first()
    if existing and existing.role == role:
        return existing
    if existing and existing.role == Role.OWNER:
        _check_not_last_owner(project, user)
    member, _ = Membership.objects.update_or_create(
        project=project, user=user, defaults={"role": Role(role)}
    )
    data = {"user": user.pk, "username": user.get_username(), "role": role}
    if existing:
        data["old_role"] = existing.role
    record(project_id=project.pk, event_type=EventType.MEMBER_ADDED, actor=actor, data=data)
    return member


@transaction.atomic
def remove_member(*, project_id: UUID, actor: Actor, user_id: int) -> None:
    """Raises NotFound for who is no member, Conflict for the last owner."""
    project = lock_project(project_id)
    authorize(actor, project_id, MANAGE)
    member = Membership.objects.filter(project=project, user=user_id).select_related("user").first()
    if member is None:
        raise NotFound("not_found", "This user is not a member of the project.")
    if member.role == Role.OWNER:
        _check_not_last_owner(project, member.user)
    data = {"user": user_id, "username": member.user.get_username(), "role": member.role}
    member.delete()
    record(project_id=project.pk, event_type=EventType.MEMBER_REMOVED, actor=actor, data=data)


def _check_not_last_owner(project: Project, user: Any) -> None:
    others = project.memberships.filter(role=Role.OWNER).exclude(user=user)
    if not others.exists():
        raise Conflict("last_owner", "A project needs an owner: make another member owner first.")
