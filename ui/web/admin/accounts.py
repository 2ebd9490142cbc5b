"""Who may log in, and with what."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.authtoken.models import TokenProxy
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from core.rights import rights_changed

# The fields of an account's page, and those that staff change who are no superusers.
ACCOUNT = [name for _, part in DjangoUserAdmin.fieldsets for name in part["fields"]]
# The password is never in this form.
CHANGED_BY_STAFF = {"first_name", "last_name", "email", "is_active", "password"}

# They come back in the theme of this admin.
for model in (User, Group, TokenProxy):
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    """What an account may do is changed by superusers; other staff keep names and activity."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def has_delete_permission(self, request, obj=None) -> bool:
        """Who leaves is made inactive: their memberships end by `remove_member` and its event."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nothing about a superuser is changed by anybody below, the password included."""
        is_above = obj is not None and obj.is_superuser and not request.user.is_superuser
        return not is_above and super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Sequence[str]:
        fields = super().get_readonly_fields(request, obj)
        if request.user.is_superuser or obj is None:
            return fields
        # The user name is what people sign with, so it is no small change.
        return [*fields, *(name for name in ACCOUNT if name not in CHANGED_BY_STAFF)]

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponseBase:
        """Whoever sets a password can log in as that person, with all their rights."""
        if not request.user.is_superuser:
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        # Read before the form writes its many-to-many fields.
        if change:
            form.rights_before = rights_of(User.objects.get(pk=form.instance.pk))
        return super().save_form(request, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        before = form.rights_before if change else {}
        tell_rights_changed(form.instance, before, rights_of(form.instance), request.user)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Django tells only here that a password was changed on its own page."""
        if "password" in str(message).lower():
            tell_rights_changed(obj, {}, {"password": "changed"}, request.user)
        return super().log_change(request, obj, message)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """A group gives rights, so only superusers change one."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        form.rights_before = permissions_of(form.instance) if change else []
        return super().save_form(request, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        before, after = form.rights_before, permissions_of(form.instance)
        before, after = {"permissions": before}, {"permissions": after}
        tell_rights_changed(form.instance, before, after, request.user)


def rights_of(user: User) -> dict[str, Any]:
    """What an account may do, by name."""
    return {
        "username": user.username,
        **{name: getattr(user, name) for name in ("is_active", "is_staff", "is_superuser")},
        "groups": sorted(user.groups.values_list("name", flat=True)),
        "user_permissions": permissions_of(user),
    }


def permissions_of(holder: User | Group) -> list[str]:
    permissions = holder.permissions if isinstance(holder, Group) else holder.user_permissions
    rows = permissions.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{name}" for app, name in rows)


def tell_rights_changed(
    target: User | Group, before: dict[str, Any], after: dict[str, Any], by: Any
) -> None:
    changes = {
        name: {"old": before.get(name), "new": new}
        for name, new in after.items()
        if before.get(name) != new
    }
    if changes:
        rights_changed.send(sender=type(target), target=target, changes=changes, by=by)


@admin.register(TokenProxy)
class TokenAdmin(ModelAdmin):
    """Who has a token, never the token: it is shown once, to whom it belongs."""

    list_display = ("user", "created")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = readonly_fields = ("user", "created")

    def has_add_permission(self, request) -> bool:
        return False
