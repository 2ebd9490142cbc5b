from django.apps import AppConfig


class HitlConfig(AppConfig):
    name = "hitl"

    def ready(self) -> None:
        from hitl.services import cancel_requests, sync_deadlines
        from projects import hooks

        hooks.register("status_changed", sync_deadlines)
        hooks.register("tasks_cancelled", cancel_requests)
