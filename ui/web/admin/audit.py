from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from audit.access import access_policy
from audit.models import Event, Stream


class ReadOnlyAdmin(ModelAdmin):
    """Look, and touch nothing: not even a superuser edits history.

    A permission of the admin opens no project to who may not see it.
    """

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        mine = access_policy().visible_project_ids(request.user)
        return super().get_queryset(request).filter(project__in=mine)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("sequence", "event_type", "actor", "project", "created_at")
    list_filter = ("event_type", "event_source")
    search_fields = ("=project", "=task", "=hitl_request", "=actor")
    search_help_text = "The whole id of a project, task or request, or an actor such as user:3"
    ordering = ("-id",)
    show_full_result_count = False


@admin.register(Stream)
class StreamAdmin(ReadOnlyAdmin):
    list_display = ("project", "sequence", "head_at", "epoch")
    search_fields = ("=project",)
    ordering = ("-head_at",)
    show_full_result_count = False
