from functools import cache

from core.tracing import trace_with
from ops.tracing.jobs import trace_jobs
from ops.tracing.opentelemetry import OpenTelemetry


@cache
def tracing() -> OpenTelemetry:
    """The one of this process, switched on when it is first asked for."""
    made = OpenTelemetry()
    trace_with(made)
    trace_jobs(made)
    return made
