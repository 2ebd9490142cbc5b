from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"
    # The label that its tables and migrations have always had.
    label = "api"

    def ready(self) -> None:
        from core import reauthentication

        reauthentication.connect()
