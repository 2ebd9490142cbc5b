"""What the admin pages have in common: people see what is theirs, services do the writing.

Every active account may enter the admin, so each page says for itself whom it is for: members of
its project (`ProjectScopedAdmin`), or operators (`OperatorAdmin`).
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.forms import CheckboxSelectMultiple
from django.http import Http404, HttpRequest

from core.errors import DomainError
from projects.models import Project


class ReadOnlyAdmin(ModelAdmin):
    """For looking only: not even a superuser edits history."""

    list_per_page = 50
    show_full_result_count = False
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class OperatorAdmin(ModelAdmin):
    """For operators only: staff, with the permissions of the model."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_staff and super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_staff and super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_staff and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_staff and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_staff and super().has_delete_permission(request, obj)

    def formfield_for_manytomany(self, db_field, request: HttpRequest, **kwargs: Any):
        """To be ticked: Django's two lists have parts without a name for a screen reader."""
        kwargs["widget"] = CheckboxSelectMultiple(attrs={"class": "boxes"})
        return super().formfield_for_manytomany(db_field, request, **kwargs)


class ProjectScopedAdmin(ReadOnlyAdmin):
    """Only what belongs to the projects that the person may see.

    `project_path` leads to the project; it is empty where the rows have a `visible_to` themselves.
    """

    project_path = "project"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        if not self.project_path:
            return rows.visible_to(request.user)
        mine = Project.objects.visible_to(request.user)
        return rows.filter(**{f"{self.project_path}__in": mine})

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def show_error(self, request: HttpRequest, error: DomainError, about: str = "") -> None:
        """The same code and words as every other channel."""
        prefix = f"{about}: " if about else ""
        self.message_user(request, f"{prefix}{error.detail} ({error.code})", messages.ERROR)


def as_uuid(text: str) -> UUID:
    """From a path of the admin. Raises Http404."""
    try:
        return UUID(unquote(text).replace("-", ""))
    except ValueError as error:
        raise Http404("This is not an id.") from error
