from django.apps import AppConfig


class OrchestratorConfig(AppConfig):
    name = "orchestrator"

    def ready(self) -> None:
        # They connect the signals, and register the checks.
        from orchestrator import checks, receivers  # noqa: F401
