from django.apps import AppConfig


class HitlConfig(AppConfig):
    name = "hitl"

    def ready(self) -> None:
        from audit.stream.inbox import register_inbox
        from hitl.inbox import inbox_items

        register_inbox(inbox_items)
