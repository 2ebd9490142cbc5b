from django.apps import AppConfig


class ChaosConfig(AppConfig):
    name = "tools.chaos"

    def ready(self) -> None:
        from tools.chaos import hooks

        hooks.install()
