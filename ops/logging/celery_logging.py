"""A job takes the id of its request along, so that what a worker says of it bears the id, too.

A job of a process that knows nothing of this has no such header, and its lines no such field.
"""

from typing import Any

from celery import Task
from celery.signals import before_task_publish, task_postrun, task_prerun

from core.log_fields import PLAIN_ID, begin_log_fields, current_log_fields, end_log_fields

HEADER = "request_id"


@before_task_publish.connect
def send_along(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
    request_id = current_log_fields().get(HEADER)
    if request_id and headers is not None:
        headers[HEADER] = request_id


@task_prerun.connect
def begin(task: Task, task_id: str, **kwargs: Any) -> None:
    fields = {"job": task.name, "job_id": task_id}
    sent = task.request.get(HEADER)
    if isinstance(sent, str) and PLAIN_ID.fullmatch(sent):
        fields[HEADER] = sent
    task.request.log_fields_before = begin_log_fields(**fields)


@task_postrun.connect
def end(task: Task, **kwargs: Any) -> None:
    if token := task.request.get("log_fields_before"):
        end_log_fields(token)
        task.request.log_fields_before = None
