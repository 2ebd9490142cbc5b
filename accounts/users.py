"""Changes of users and their rights, wherever they are made: recorded, and tokens end with them."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from accounts.current_actor import current_actor
from accounts.events import (
    GROUP_CHANGED,
    PASSWORD_CHANGED,
    RIGHTS_CHANGED,
    USER_CHANGED,
    USER_CREATED,
    USER_DELETED,
)
from accounts.models import PersonalToken, email_mark, password_mark
from accounts.tokens import end_tokens_of
from audit.installation import record_installation

RIGHTS = ("username", "is_staff", "is_superuser", "is_active")
WATCHED = {*RIGHTS, "password", "email"}


def marks_of(user: Any) -> dict[str, str]:
    """What opens the account, as the log may have it."""
    return {"password_mark": password_mark(user.password), "email_mark": email_mark(user.email)}


def key_of(row: Any) -> str:
    """Of a permission its name, by which it is asked for; a number tells nothing of that."""
    if isinstance(row, Permission):
        return f"{row.content_type.app_label}.{row.codename}"
    return str(row.pk)


def remember_user(sender: Any, instance: Any, raw: bool, update_fields: Any, **_: Any) -> None:
    """What the row is before it is saved."""
    instance.row_before = None
    if raw or instance.pk is None or (update_fields is not None and not WATCHED & {*update_fields}):
        return
    instance.row_before = sender.objects.filter(pk=instance.pk).values(*WATCHED).first()


@transaction.atomic
def record_user(
    sender: Any, instance: Any, created: bool, raw: bool, update_fields: Any, **_: Any
) -> None:
    if raw:
        return
    about = {"user": instance.pk, "username": instance.get_username()}
    if created:
        rights = {name: getattr(instance, name) for name in RIGHTS[1:]}
        record_installation(USER_CREATED, current_actor(), **about, **rights, **marks_of(instance))
        return
    before = instance.row_before or {}
    changed = {
        name: {"old": old, "new": getattr(instance, name)}
        for name, old in before.items()
        if old != getattr(instance, name) and (update_fields is None or name in update_fields)
    }
    if "password" in changed:
        _password_changed(instance, before["password"], update_fields, about)
    changed.pop("password", None)
    if address := changed.pop("email", None):
        changed["email_mark"] = {name: email_mark(email) for name, email in address.items()}
    if changed:
        record_installation(USER_CHANGED, current_actor(), **about, fields=changed)
    if "is_active" in changed and not instance.is_active:
        end_tokens_of(instance, actor=current_actor(), why="user disabled")


def _password_changed(user: Any, old: str, update_fields: Any, about: dict[str, Any]) -> None:
    # As Django saves a better hash of the same password, at a login.
    if user._password is None and {*(update_fields or ())} == {"password"}:
        same = PersonalToken.objects.filter(user=user, password_mark=password_mark(old))
        mark = password_mark(user.password)
        same.update(password_mark=mark)
        fields = {"password_mark": {"old": password_mark(old), "new": mark}}
        record_installation(USER_CHANGED, current_actor(), **about, fields=fields)
        return
    mark = password_mark(user.password)
    record_installation(PASSWORD_CHANGED, current_actor(), **about, password_mark=mark)
    end_tokens_of(user, actor=current_actor(), why="password changed")


def record_deleted_user(sender: Any, instance: Any, **_: Any) -> None:
    about = {"user": instance.pk, "username": instance.get_username()}
    record_installation(USER_DELETED, current_actor(), **about)


def record_group(sender: Any, instance: Group, raw: bool = False, **more: Any) -> None:
    """A group was made, renamed or deleted."""
    if not raw:
        what = {True: "created", False: "changed", None: "deleted"}[more.get("created")]
        record_installation(
            GROUP_CHANGED, current_actor(), group=instance.pk, name=instance.name, what=what
        )


def record_rights(
    sender: Any, instance: Any, action: str, model: Any, pk_set: set | None, **_: Any
) -> None:
    """Who is in which group, and what users and groups may do beyond their flags."""
    if action == "pre_clear":
        pk_set = _related_keys(sender, instance, model)
    if action not in ("post_add", "post_remove", "pre_clear") or not pk_set:
        return
    rows = model._default_manager.filter(pk__in=pk_set)
    names, what = sorted(str(row) for row in rows), "added" if action == "post_add" else "removed"
    facts = facts_of_holder(instance) | {what: names, "keys": sorted(key_of(row) for row in rows)}
    record_installation(RIGHTS_CHANGED, current_actor(), **facts, kind=model._meta.model_name)


def facts_of_holder(row: Any) -> dict[str, Any]:
    names = {"of": row._meta.model_name, "name": str(row)}
    return names | {"id": row.pk, "key": key_of(row)}


def _related_keys(through: Any, instance: Any, model: Any) -> set:
    names = {field.related_model: field.name for field in through._meta.fields if field.is_relation}
    rows = through._default_manager.filter(**{names[instance._meta.model]: instance.pk})
    return set(rows.values_list(names[model], flat=True))


def watch_users() -> None:
    user_model = get_user_model()
    pre_save.connect(remember_user, user_model, dispatch_uid="accounts")
    post_save.connect(record_user, user_model, dispatch_uid="accounts")
    post_delete.connect(record_deleted_user, user_model, dispatch_uid="accounts")
    post_save.connect(record_group, Group, dispatch_uid="accounts")
    post_delete.connect(record_group, Group, dispatch_uid="accounts")
    for relation in (user_model.groups, user_model.user_permissions, Group.permissions):
        m2m_changed.connect(record_rights, relation.through, dispatch_uid="accounts")
