from django.apps import AppConfig


class HitlConfig(AppConfig):
    name = "hitl"

    def ready(self) -> None:
        from audit.rows import register_check, register_rows
        from audit.stream.subscription import register_inbox
        from hitl.agent_actions.asks import close_actions_of_ended_project
        from hitl.agent_actions.own_agents import close_calls, finish_calls, tools_that_ask
        from hitl.selectors import (
            actions_changed_behind_us,
            inbox_items,
            requests_changed_behind_us,
        )
        from hitl.services import cancel_requests, note_change, sync_deadlines
        from hitl.services.loosenings import oversight_changed, owner_removed
        from projects import hooks

        hooks.register("status_changed", sync_deadlines)
        hooks.register("ended", close_actions_of_ended_project)
        hooks.register("tasks_cancelled", cancel_requests)
        hooks.register("tasks_cancelled", close_calls)
        hooks.register("tools_that_ask", tools_that_ask)
        hooks.register("tools_used", finish_calls)
        hooks.register("oversight_changed", oversight_changed)
        hooks.register("owner_removed", owner_removed)
        hooks.register("content_changed", note_change)
        register_inbox(inbox_items)
        register_rows("rows_of_policies", "rows_of_loosenings")
        register_rows("rows_of_comments", "rows_of_actions", "rows_of_standing_approvals")
        register_rows("rows_of_requests", "rows_of_decisions", "rows_of_delegations")
        register_check(requests_changed_behind_us)
        register_check(actions_changed_behind_us)
