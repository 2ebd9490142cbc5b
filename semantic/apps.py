from django.apps import AppConfig


class SemanticConfig(AppConfig):
    """Installed only where SEMANTIC_SEARCH is on, so that nothing else needs the extension."""

    name = "semantic"

    def ready(self) -> None:
        from semantic import checks  # noqa: F401 - registers them
