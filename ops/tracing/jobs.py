"""A job goes on with the trace of who put it into the queue, in a header of its message.

The sweep is left out: it comes each second, and its trace would hold nothing else.
"""

from contextlib import ExitStack
from typing import Any

from celery import Task
from celery.signals import (
    before_task_publish,
    task_postrun,
    task_prerun,
    worker_process_shutdown,
)
from opentelemetry.trace import SpanKind

from core.log_fields import current_log_fields
from ops.tracing.opentelemetry import OpenTelemetry, carrier_of_this_span

HEADER = "traceparent"
LEFT_OUT = {"orchestrator.tasks.sweep"}
DONE = "SUCCESS"


def trace_jobs(tracing: OpenTelemetry) -> None:
    def send_along(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
        if headers is not None:
            headers.update(carrier_of_this_span())

    def begin(task: Task, task_id: str, **kwargs: Any) -> None:
        if task.name in LEFT_OUT:
            return
        stack = ExitStack()
        span = tracing.begun_by(
            _sent_with(task), f"job {task.name}", _facts(task, task_id), SpanKind.CONSUMER
        )
        task.request.job_span = stack, stack.enter_context(span)

    def end(task: Task, state: str | None = None, **kwargs: Any) -> None:
        if not (begun := task.request.get("job_span")):
            return
        stack, shown = begun
        task.request.job_span = None
        if state != DONE:
            shown.fail(str(state).lower())
        stack.close()

    def flush(**kwargs: Any) -> None:
        tracing.flush()

    # Not weakly: nobody else holds them.
    before_task_publish.connect(send_along, weak=False)
    task_prerun.connect(begin, weak=False)
    task_postrun.connect(end, weak=False)
    worker_process_shutdown.connect(flush, weak=False)


def _sent_with(task: Task) -> dict[str, str]:
    sent = task.request.get(HEADER)
    return {HEADER: sent} if isinstance(sent, str) else {}


def _facts(task: Task, task_id: str) -> dict[str, Any]:
    return {
        "messaging.system": "celery",
        "messaging.operation.name": "process",
        "messaging.message.id": task_id,
        "paraph.request_id": current_log_fields().get("request_id"),
    }
