from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        from agents.agent_status import create_agent_statuses, refresh_agent_statuses
        from agents.endpoints.services import check_agent_models
        from agents.own_types import read_rows
        from projects import hooks
        from projects.agent_types import agent_types

        agent_types.read = read_rows
        hooks.register("agent_models_chosen", check_agent_models)
        hooks.register("created", create_agent_statuses)
        hooks.register("agents_changed", refresh_agent_statuses)
