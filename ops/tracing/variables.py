"""The library takes a default where it cannot read a variable of its own, and only logs it."""

from importlib.metadata import entry_points

from orchestrator.environment import Environment

SAMPLERS = "opentelemetry_traces_sampler"


def check_variables(env: Environment) -> None:
    """Raises ImproperlyConfigured."""
    env.web_url("OTEL_EXPORTER_OTLP_ENDPOINT", default="")
    samplers = sorted({found.name for found in entry_points(group=SAMPLERS)})
    env.word("OTEL_TRACES_SAMPLER", default="parentbased_always_on", known=samplers)
    env.share("OTEL_TRACES_SAMPLER_ARG", default=1.0)
