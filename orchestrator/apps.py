from django.apps import AppConfig
from django.conf import settings

from orchestrator.model_names import check_models


class OrchestratorConfig(AppConfig):
    name = "orchestrator"

    def ready(self) -> None:
        # It connects the signals.
        from orchestrator import receivers  # noqa: F401

        check_models(settings)
        if settings.TRACES:
            from ops.tracing import tracing

            tracing()
