"""Lists for looking things up: events and streams, tasks, agents, runs, members, failed jobs."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django_celery_results.models import GroupResult, TaskResult

from agents.models import AgentStatus, Task, TaskAttempt
from audit.access import access_policy
from audit.installation import INSTALLATION
from audit.models import Event, Stream
from orchestrator.models import WorkflowRun
from projects.models import Membership
from ui.web.admin.base import OperatorAdmin, ProjectScopedAdmin, ReadOnlyAdmin


class AuditAdmin(ReadOnlyAdmin, OperatorAdmin):
    """A permission of the admin opens no project to somebody who may not see it."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        mine = Q(project__in=access_policy().visible_project_ids(request.user))
        if request.user.is_superuser:
            mine |= Q(project=INSTALLATION)
        return super().get_queryset(request).filter(mine)


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


# There are no groups of jobs, and results come back for reading only.
for model in (GroupResult, TaskResult):
    admin.site.unregister(model)


@admin.register(TaskResult)
class JobResultAdmin(ReadOnlyAdmin, OperatorAdmin):
    """Jobs that failed: which, where and when. Their messages are in the logs, by `job_id`."""

    list_display = ("task_name", "task_args", "status", "result", "date_done", "worker")
    list_filter = ("task_name", "status")
    search_fields = ("task_id", "task_args")
    date_hierarchy = "date_done"
    fields = readonly_fields = (
        "task_id",
        "task_name",
        "task_args",
        "task_kwargs",
        "status",
        "result",
        "traceback",
        "worker",
        "date_created",
        "date_done",
    )
