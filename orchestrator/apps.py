from django.apps import AppConfig
from django.conf import settings

from orchestrator.model_names import check_models, check_tools


class OrchestratorConfig(AppConfig):
    name = "orchestrator"

    def ready(self) -> None:
        from audit.rows import register_check, register_rows
        from orchestrator.engine.advance import advance, note_failure
        from orchestrator.engine.definition import check_workflow
        from orchestrator.engine.own_workflows import (
            check_names_no_agent_type,
            workflows_changed_behind_us,
        )
        from orchestrator.engine.rewind import close_open_work
        from orchestrator.engine.state import runs_changed_behind_us
        from projects import hooks

        hooks.register("workflow_chosen", check_workflow)
        hooks.register("agent_type_deleted", check_names_no_agent_type)
        hooks.register("ended", close_open_work)
        hooks.register("advance", advance)
        hooks.register("advance_failed", note_failure)
        register_rows("rows_of_workflow_runs", "rows_of_workflows", "rows_of_imports")
        register_check(runs_changed_behind_us)
        register_check(workflows_changed_behind_us)

        check_models(settings)
        check_tools(settings.HITL_POLICY["ask_before_tools"])
        if settings.TRACES:
            from ops.tracing import tracing

            tracing()
