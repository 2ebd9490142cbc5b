"""Who may log in, and with what."""

from collections.abc import Sequence

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.models import PersonalToken
from accounts.tokens import revoke_token
from audit.actors import Actor
from ui.web.admin.base import OperatorAdmin

# The fields of an account's page, and those that staff change who are no superusers.
ACCOUNT = [name for _, part in DjangoUserAdmin.fieldsets for name in part["fields"]]
# The password is never in this form.
CHANGED_BY_STAFF = {"first_name", "last_name", "email", "is_active", "password"}
# What Django says of these is about its own admin.
ABOUT = {
    "is_active": "May log in. Turn it off instead of deleting the account.",
    "is_staff": "An operator: also opens the lists that the permissions below name.",
    "is_superuser": "Operates the installation, and sees and steers every project.",
}

# They come back with rules of our own, or not at all: apps and tokens hold secrets.
for model in (
    *(User, Group, Authenticator),
    *(EmailAddress, SocialAccount, SocialApp, SocialToken),
):
    admin.site.unregister(model)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, OperatorAdmin):
    """What an account may do is changed by superusers; other staff keep names and activity."""

    readonly_fields = ("last_login", "date_joined")

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        if about := ABOUT.get(db_field.name):
            kwargs["help_text"] = about
        return super().formfield_for_dbfield(db_field, request, **kwargs)

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


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, OperatorAdmin):
    """A group gives rights, so only superusers change one."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_superuser and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return request.user.is_superuser and super().has_delete_permission(request, obj)


@admin.register(Authenticator)
class SecondFactorAdmin(OperatorAdmin):
    """Who has which; for who has lost theirs, a superuser takes it away. Never its secret."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    fields = readonly_fields = list_display

    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False

    def has_delete_permission(self, request, obj=None) -> bool:
        return request.user.is_superuser and super().has_delete_permission(request, obj)


@admin.register(PersonalToken)
class TokenAdmin(OperatorAdmin):
    """Who has which token, never its key: that is shown once, to whom it belongs."""

    list_display = ("name", "user", "scopes", "created_at", "expires_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    fields = readonly_fields = (*list_display, "is_login")

    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False

    def delete_model(self, request, obj) -> None:
        revoke_token(token_id=obj.pk, actor=Actor.of_user(request.user))

    def delete_queryset(self, request, queryset) -> None:
        for token in queryset:
            self.delete_model(request, token)
