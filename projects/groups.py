"""Groups as members: whoever is in the group is in the project, as long as they are in it.

Each such person has a membership of their own, so that nothing else has to know of groups. It is
brought in line when the group or the project changes, and by the sweep, should that be lost.
"""

import logging
import time
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.db.models.signals import m2m_changed

from audit.actors import Actor
from core.errors import InvalidInput, NotFound
from core.text import is_storable
from projects.access import MANAGE
from projects.enums import Role
from projects.events import GROUP_ADDED, GROUP_REMOVED, MEMBER_ADDED, MEMBER_REMOVED
from projects.models import GroupMembership, Membership
from projects.transaction import ProjectTransaction

logger = logging.getLogger(__name__)

ROLES = (Role.APPROVER, Role.VIEWER)
LOOK_SECONDS = 60
_looked_at = 0.0
# Projects in which somebody is in a group without being a member, a member by a group without being
# in it, or one who only views while another group of theirs approves.
OUT_OF_LINE = """
    SELECT membership.project_id FROM project_groups AS membership
    JOIN auth_user_groups AS inside ON inside.group_id = membership.group_id
    WHERE NOT EXISTS (
        SELECT FROM project_members AS member
        WHERE member.project_id = membership.project_id AND member.user_id = inside.user_id)
    UNION
    SELECT member.project_id FROM project_members AS member
    WHERE member.group_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM project_groups AS membership
        JOIN auth_user_groups AS inside ON inside.group_id = membership.group_id
        WHERE membership.project_id = member.project_id AND inside.user_id = member.user_id
          AND membership.group_id = member.group_id AND membership.role = member.role)
    UNION
    SELECT membership.project_id FROM project_groups AS membership
    JOIN auth_user_groups AS inside ON inside.group_id = membership.group_id
    JOIN project_members AS member
        ON member.project_id = membership.project_id AND member.user_id = inside.user_id
    WHERE member.group_id IS NOT NULL AND member.role = 'viewer' AND membership.role = 'approver'
"""


def find_group(name: str) -> Group:
    """Raises InvalidInput."""
    group = Group.objects.filter(name=name).first() if is_storable(name) else None
    if group is None:
        detail = "There is no such group. Operators make groups, and say who is in them."
        raise InvalidInput.of("group", "does_not_exist", detail)
    return group


def add_group(*, project_id: UUID, actor: Actor, group: str, role: str) -> GroupMembership:
    """Everybody in it becomes a member. Again: the role changes. Raises InvalidInput, Forbidden."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        row = find_group(group)
        if role not in ROLES:
            detail = "A group approves or views. An owner is a person whom you name."
            raise InvalidInput.of("role", "invalid_choice", detail)
        membership, _ = GroupMembership.objects.update_or_create(
            project=tx.project, group=row, defaults={"role": role}
        )
        tx.record(GROUP_ADDED, group=row.pk, name=row.name, role=role)
        bring_in_line(tx)
    return membership


def remove_group(*, project_id: UUID, actor: Actor, group_id: int) -> None:
    """Whoever was a member by it is none any more. Raises NotFound, Forbidden."""
    with ProjectTransaction(project_id, actor, require=MANAGE) as tx:
        rows = GroupMembership.objects.filter(project=tx.project, group=group_id)
        membership = rows.select_related("group").first()
        if membership is None:
            raise NotFound("not_found", "This group is not a member of the project.")
        membership.delete()
        name, role = membership.group.name, membership.role
        tx.record(GROUP_REMOVED, group=group_id, name=name, role=role)
        bring_in_line(tx)


def bring_in_line(tx: ProjectTransaction) -> None:
    """Who is a member by themselves stays so, with their own role."""
    wanted: dict[int, GroupMembership] = {}
    groups = GroupMembership.objects.filter(project=tx.project).select_related("group")
    # The higher role last, so that it counts.
    for membership in sorted(groups, key=lambda row: ROLES.index(row.role), reverse=True):
        inside = membership.group.user_set.values_list("pk", flat=True)
        wanted |= dict.fromkeys(inside, membership)
    present = {
        member.user_id: member
        for member in Membership.objects.filter(project=tx.project).select_related("user")
    }
    for member in present.values():
        if member.group_id is not None and member.user_id not in wanted:
            name = member.user.get_username()
            member.delete()
            tx.record(MEMBER_REMOVED, user=member.user_id, username=name, role=member.role)
    for user in get_user_model().objects.filter(pk__in=wanted).order_by("pk"):
        membership, member = wanted[user.pk], present.get(user.pk)
        if member is None:
            member = Membership(project=tx.project, user=user)
        elif member.group_id is None:
            continue
        is_same = (member.role, member.group_id) == (membership.role, membership.group_id)
        if is_same:
            continue
        member.role, member.group = membership.role, membership.group
        member.save()
        tx.record(
            MEMBER_ADDED,
            user=user.pk,
            username=user.get_username(),
            role=str(member.role),
            group=membership.group_id,
            group_name=membership.group.name,
        )


def bring_groups_in_line() -> int:
    """All projects whose members differ from their groups; returns how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(OUT_OF_LINE)
        projects = [row[0] for row in cursor.fetchall()]
    for project_id in sorted(projects):
        with ProjectTransaction(project_id, Actor.of_system("groups")) as tx:
            bring_in_line(tx)
    return len(projects)


def look_for_groups_out_of_line() -> int:
    """For the sweep, once a minute: what was to be done after a commit may have been lost."""
    global _looked_at
    if time.monotonic() - _looked_at < LOOK_SECONDS:
        return 0
    _looked_at = time.monotonic()
    return bring_groups_in_line()


def group_changed(action: str, **_: Any) -> None:
    if action.startswith("post_"):
        transaction.on_commit(bring_groups_in_line, robust=True)


def watch_groups() -> None:
    through = get_user_model().groups.through
    m2m_changed.connect(group_changed, through, dispatch_uid="projects")
