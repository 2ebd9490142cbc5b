from django.apps import AppConfig


class ContextConfig(AppConfig):
    name = "context"

    def ready(self) -> None:
        from audit.rows import register_check, register_rows
        from context.selectors import versions_changed_behind_us

        register_rows("rows_of_versions")
        register_check(versions_changed_behind_us)
