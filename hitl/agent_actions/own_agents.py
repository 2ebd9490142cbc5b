"""Calls of tools by our own agents, at their tasks: the same door, and the same people."""

from typing import Any

from agents.enums import ToolOutcome
from agents.models import Task, ToolUse
from agents.tool import tools
from hitl.agent_actions.asks import action_of_call, open_action_request
from hitl.agent_actions.digests import canonical_text
from hitl.agent_actions.records import close_action, facts_of, finish_action
from hitl.agent_actions.standing_approvals import find_standing_approval, use_standing_approval
from hitl.enums import ActionStatus
from hitl.events import ACTION_CLAIMED, ACTION_REQUESTED
from hitl.models import AgentAction
from hitl.policy import policy_of
from hitl.services.locks import database_time
from projects.transaction import ProjectTransaction

#: Where the tools of our own agents are.
SERVER = "paraph"


def ask_for_task(tx: ProjectTransaction, task: Task) -> AgentAction:
    """Ask people about the call that a task waits for, unless somebody has allowed such calls."""
    call = task.result["call"]
    tool = tools.get(call["name"])
    data: dict[str, Any] = {
        "tool": {"name": call["name"], "server": SERVER},
        "arguments": call["arguments"],
        "agent": {"name": str(task.agent_type), "run": str(task.pk), "call": call["id"]},
        "edit_schema": tool.arguments.model_json_schema() if tool else None,
    }
    # Another turn may use the same id.
    key = f"{call['run']}:{task.fence}:{call['id']}"[:255]
    action = action_of_call(tx.project.pk, None, key, data)
    action.task = task
    action.save(force_insert=True)
    task.result = {"call": call | {"action": str(action.pk)}}
    task.save(update_fields=["result"])
    tx.record(ACTION_REQUESTED, task=task, **facts_of(action), effect=action.effect)
    now = database_time()
    if (rule := find_standing_approval(action, now)) is not None:
        use_standing_approval(tx, action, rule, now)
    else:
        name = task.title or task.step or "a task"
        title = f"{action.agent['name']} wants to call {action.tool['name']} ({name})"
        open_action_request(tx, action, title=title)
    return action


def tools_that_ask(task: Task) -> list[str]:
    """By the project's policy."""
    return policy_of(task.project_id).ask_before_tools


def finish_calls(tx: ProjectTransaction, task: Task, uses: list[ToolUse]) -> None:
    """What people allowed was done, in the same transaction that keeps what it brought."""
    for use in uses:
        if use.action is None or use.outcome == ToolOutcome.REFUSED:
            continue
        action = tx.lock(AgentAction, use.action)
        action.move(ActionStatus.EXECUTING)
        action.fence, action.claimed_at = action.fence + 1, database_time()
        action.save(update_fields=["fence", "claimed_at"])
        tx.record(ACTION_CLAIMED, task=task, **facts_of(action), fence=action.fence)
        has_failed = use.outcome == ToolOutcome.FAILED
        finish_action(
            tx,
            action,
            ActionStatus.FAILED if has_failed else ActionStatus.SUCCEEDED,
            result="" if has_failed else canonical_text(use.result),
            error=use.result if has_failed else "",
        )


def close_calls(tx: ProjectTransaction, tasks: list[Task]) -> None:
    """Their tasks were given up: nobody goes on with what is decided now."""
    open_states = (ActionStatus.PENDING, ActionStatus.APPROVED)
    actions = AgentAction.objects.filter(task__in=tasks, status__in=open_states)
    for action in actions.select_for_update(no_key=True, of=("self",)):
        close_action(tx, action, ActionStatus.CANCELLED, "its task was given up")
