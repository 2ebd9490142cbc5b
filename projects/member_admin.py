"""What the admin pages have in common: members see what is theirs, services do the writing."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from unfold.admin import ModelAdmin

from api.errors import DomainError
from projects.models import Project


class MemberAdmin(ModelAdmin):
    """Read-only, and only what belongs to the projects that the person may see."""

    project_path = "project"
    list_per_page = 50
    show_full_result_count = False
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        mine = Project.objects.visible_to(request.user)
        return super().get_queryset(request).filter(**{f"{self.project_path}__in": mine})

    def has_module_permission(self, request: HttpRequest) -> bool:
        return request.user.is_staff

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.is_staff

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def say_refused(self, request: HttpRequest, error: DomainError, about: str = "") -> None:
        """The same code and words as every other channel."""
        prefix = f"{about}: " if about else ""
        self.message_user(request, f"{prefix}{error.detail} ({error.code})", messages.ERROR)


def as_uuid(text: str) -> UUID:
    """From a path of the admin. Raises Http404."""
    try:
        return UUID(unquote(text).replace("-", ""))
    except ValueError as error:
        raise Http404("This is not an id.") from error
