from uuid import UUID

from agents.models import Task
from core.errors import NotFound
from projects.services import lock_project


def lock_task(task_id: UUID) -> Task:
    """Lock the project, then the task. Raises NotFound."""
    project_id = Task.objects.filter(pk=task_id).values_list("project", flat=True).first()
    if project_id is None:
        raise NotFound("not_found", "There is no such task.")
    project = lock_project(project_id)
    task = Task.objects.select_for_update(no_key=True).get(pk=task_id)
    task.project = project
    return task
