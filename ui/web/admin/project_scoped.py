"""What the admin pages have in common: members see what is theirs, services do the writing."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.filters import ChoicesFieldListFilter
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from unfold.admin import ModelAdmin

from core.errors import DomainError
from projects.models import Project
from ui.web.templatetags.ui import words


class WordFilter(ChoicesFieldListFilter):
    """Offers the public words; the labels of the choices are explanations, too long for a list."""

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        shown = [None, *(words(value) for value, _ in self.field.flatchoices)]
        for word, choice in zip(shown, super().choices(changelist), strict=False):
            yield choice if word is None else choice | {"display": word}


class MemberAdmin(ModelAdmin):
    """Read-only, and only what belongs to the projects that the person may see."""

    project_path = "project"
    list_per_page = 50
    show_full_result_count = False
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        mine = Project.objects.visible_to(request.user)
        return super().get_queryset(request).filter(**{f"{self.project_path}__in": mine})

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._column(name) for name in super().get_list_display(request)]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        names = super().get_list_filter(request)
        return [(name, WordFilter) if self._has_choices(name) else name for name in names]

    def _column(self, name: str) -> Any:
        return word_column(name) if self._has_choices(name) else name

    def _has_choices(self, name: str) -> bool:
        return any(field.name == name and field.choices for field in self.opts.fields)

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


def word_column(name: str) -> Callable[[Any], str]:
    """A column that shows the public word of a field."""

    @admin.display(description=words(name), ordering=name)
    def column(item: Any) -> str:
        return words(getattr(item, name)) or "-"

    column.__name__ = name
    return column


def as_uuid(text: str) -> UUID:
    """From a path of the admin. Raises Http404."""
    try:
        return UUID(unquote(text).replace("-", ""))
    except ValueError as error:
        raise Http404("This is not an id.") from error
