from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        from agents.agent_status import create_agent_statuses, refresh_agent_statuses
        from projects import hooks

        hooks.register("created", create_agent_statuses)
        hooks.register("agents_changed", refresh_agent_statuses)
