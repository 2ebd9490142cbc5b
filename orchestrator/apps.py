from django.apps import AppConfig
from django.conf import settings


class OrchestratorConfig(AppConfig):
    name = "orchestrator"

    def ready(self) -> None:
        # They connect the signals, and register the checks.
        from orchestrator import checks, receivers  # noqa: F401

        if settings.TRACES:
            from orchestrator.traces.switch import tracing

            tracing()
