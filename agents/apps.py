from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"

    def ready(self) -> None:
        from agents.agent_status import create_agent_statuses, refresh_agent_statuses
        from agents.endpoints.services import check_agent_models
        from agents.own_types import read_rows
        from agents.selectors import tasks_changed_behind_us
        from audit.rows import register_check, register_rows
        from projects import hooks
        from projects.agent_types import agent_types

        agent_types.read = read_rows
        hooks.register("agent_models_chosen", check_agent_models)
        hooks.register("created", create_agent_statuses)
        hooks.register("agents_changed", refresh_agent_statuses)
        register_rows("rows_of_agent_types", "rows_of_model_endpoints")
        register_rows("rows_of_tasks", "rows_of_emergency_stops")
        register_check(tasks_changed_behind_us)
