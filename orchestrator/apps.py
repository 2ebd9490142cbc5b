from django.apps import AppConfig
from django.conf import settings

from orchestrator.model_names import check_models


class OrchestratorConfig(AppConfig):
    name = "orchestrator"

    def ready(self) -> None:
        # They connect the signals, and register the checks.
        from orchestrator import checks, receivers  # noqa: F401

        check_models(settings)
        if settings.TRACES:
            from ops.tracing.switch import tracing

            tracing()
