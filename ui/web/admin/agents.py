from django.contrib import admin

from agents.models import AgentStatus, Task, TaskAttempt
from ui.web.admin.project_scoped import MemberAdmin


@admin.register(Task)
class TaskAdmin(MemberAdmin):
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
class TaskAttemptAdmin(MemberAdmin):
    project_path = "task__project"
    list_display = ("task", "number", "outcome", "provider", "model", "worker", "started_at")
    list_filter = ("outcome", "provider")
    list_select_related = ("task",)
    search_fields = ("task__title", "worker", "error_code")
    ordering = ("-id",)


@admin.register(AgentStatus)
class AgentStatusAdmin(MemberAdmin):
    list_display = ("agent_type", "status", "project", "task", "updated_at")
    list_filter = ("status", "agent_type")
    list_select_related = ("project", "task")
    search_fields = ("project__name",)
