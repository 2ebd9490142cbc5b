"""A job carries the id of its request, so that the worker's lines about it have the id, too.

The lines have no such field where the message has no such header, as from an older process.
"""

from typing import Any

from celery import Task
from celery.signals import before_task_publish, task_postrun, task_prerun

from core.log_fields import PLAIN_ID, begin_log_fields, current_log_fields, end_log_fields

HEADER = "request_id"


@before_task_publish.connect
def add_request_id(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
    request_id = current_log_fields().get(HEADER)
    if request_id and headers is not None:
        headers[HEADER] = request_id


@task_prerun.connect
def begin(task: Task, task_id: str, **kwargs: Any) -> None:
    fields = {"job": task.name, "job_id": task_id}
    request_id = task.request.get(HEADER)
    if isinstance(request_id, str) and PLAIN_ID.fullmatch(request_id):
        fields[HEADER] = request_id
    task.request.log_fields_before = begin_log_fields(**fields)


@task_postrun.connect
def end(task: Task, **kwargs: Any) -> None:
    if token := task.request.get("log_fields_before"):
        end_log_fields(token)
        task.request.log_fields_before = None
