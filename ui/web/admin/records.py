"""Lists for looking things up: events and streams, tasks, agents, runs, members."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from agents.models import AgentStatus, Task, TaskAttempt
from audit.access import access_policy
from audit.models import Event, Stream
from orchestrator.models import WorkflowRun
from projects.models import Membership
from ui.web.admin.base import ProjectScopedAdmin, ReadOnlyAdmin


class AuditAdmin(ReadOnlyAdmin):
    """A permission of the admin opens no project to somebody who may not see it."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        mine = access_policy().visible_project_ids(request.user)
        return super().get_queryset(request).filter(project__in=mine)


@admin.register(Event)
class EventAdmin(AuditAdmin):
    list_display = ("sequence", "event_type", "actor", "project", "created_at")
    list_filter = ("event_type", "event_source")
    search_fields = ("=project", "=task", "=hitl_request", "=actor")
    search_help_text = "The whole id of a project, task or request, or an actor such as user:3"
    ordering = ("-id",)


@admin.register(Stream)
class StreamAdmin(AuditAdmin):
    list_display = ("project", "sequence", "head_at", "epoch")
    search_fields = ("=project",)
    ordering = ("-head_at",)


@admin.register(Task)
class TaskAdmin(ProjectScopedAdmin):
    list_display = (
        "title",
        "agent_type",
        "project",
        "step",
        "round",
        "status",
        "attempt",
        "created_at",
    )
    list_filter = ("status", "agent_type", "phase", "is_current")
    list_select_related = ("project",)
    search_fields = ("title", "step", "project__name")


@admin.register(TaskAttempt)
class TaskAttemptAdmin(ProjectScopedAdmin):
    project_path = "task__project"
    list_display = ("task", "number", "outcome", "provider", "model", "worker", "started_at")
    list_filter = ("outcome", "provider")
    list_select_related = ("task",)
    search_fields = ("task__title", "worker", "error_code")
    ordering = ("-id",)


@admin.register(AgentStatus)
class AgentStatusAdmin(ProjectScopedAdmin):
    list_display = ("agent_type", "status", "project", "task", "updated_at")
    list_filter = ("status", "agent_type")
    list_select_related = ("project", "task")
    search_fields = ("project__name",)


@admin.register(WorkflowRun)
class WorkflowRunAdmin(ProjectScopedAdmin):
    list_display = ("project", "workflow", "definition_hash", "created_at")
    list_filter = ("workflow",)
    list_select_related = ("project",)
    search_fields = ("project__name", "=definition_hash")


@admin.register(Membership)
class MembershipAdmin(ProjectScopedAdmin):
    list_display = ("project", "user", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("project", "user")
    search_fields = ("project__name", "user__username")
