from functools import cache

from api.tracing import trace_with
from orchestrator.traces.jobs import trace_jobs
from orchestrator.traces.opentelemetry import OpenTelemetry


@cache
def tracing() -> OpenTelemetry:
    """The one of this process, switched on when it is first asked for."""
    made = OpenTelemetry()
    trace_with(made)
    trace_jobs(made)
    return made
