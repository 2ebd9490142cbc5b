"""Jobs that failed: which, where and when. Their messages are in the logs, by `job_id`."""

from django.contrib import admin
from django_celery_results.models import GroupResult, TaskResult
from unfold.admin import ModelAdmin

# There are no groups of jobs, and results come back in the theme of this admin.
for model in (GroupResult, TaskResult):
    admin.site.unregister(model)


@admin.register(TaskResult)
class JobResultAdmin(ModelAdmin):
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

    def has_add_permission(self, request) -> bool:
        return False

    def has_change_permission(self, request, obj=None) -> bool:
        return False

    def has_delete_permission(self, request, obj=None) -> bool:
        return False
